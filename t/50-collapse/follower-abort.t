#!/usr/bin/env python3
"""Followers that leave while they wait or read leave nothing behind."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    body = blob("fa", 100_000)
    gate = Gate()

    @origin.route("/g")
    def _(req):
        gate.wait()
        return Reply(body, cc="max-age=60", drip=(20_000, 0.02))

    ng = t.nginx(origin, h2=True)
    leader = in_thread(ng.get, "/g")
    ok(gate.arrived(), "the fetch runs")
    rs = ng.swarm([Client("/g", abort="sent", abort_after=0.05 + i * 0.001) for i in range(200)])
    is_({r.error for r in rs}, {"aborted"}, "200 that leave while they wait")
    ok(wait_until(lambda: (ng.count("waiters") or 0) <= 1, 3), "are no waiters any more")
    stay = in_thread(ng.swarm, [Client("/g") for _ in range(10)]
                     + [Client("/g", abort=20_000) for _ in range(30)])
    time.sleep(0.1)
    gate.open()
    rs = stay.join()
    is_([r.body == body for r in rs[:10]], [True] * 10, "those that stay are served")
    is_(leader.join().body == body, True, "the leader too")
    is_(origin.count("/g"), 1, "one fetch")
