#!/usr/bin/env python3
"""Graceful stop with fetches, waiters and readers under way: they are served first. Fast stop is fast."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

import signal

with scenario() as t:
    origin = t.origin()
    body = blob("st", 100_000)

    @origin.route("/*")
    def _(req):
        time.sleep(0.3)
        return Reply(body, cc="max-age=60", drip=(20_000, 0.05))

    ng = t.nginx(origin, "strata_valid_max 200ms; strata_grace 1h;")
    ng.fill("/stale")
    box = in_thread(ng.swarm, [Client(f"/{i % 3}") for i in range(30)])
    wait_until(lambda: origin.count() >= 4)
    ng.get("/stale")
    ng.stopped = True
    ng.send_signal(signal.SIGQUIT)
    rs = box.join()
    is_({(r.status, r.body == body) for r in rs}, {(200, True)}, "all served")
    ok(wait_until(lambda: not ng.running(), 5), "and then it stops")

    ng2 = t.nginx(origin)
    box = in_thread(ng2.swarm, [Client(f"/{i % 3}") for i in range(30)])
    time.sleep(0.1)
    ng2.stopped = True
    start = time.monotonic()
    ng2.send_signal(signal.SIGTERM)
    ok(wait_until(lambda: not ng2.running(), 5), "SIGTERM")
    within(ms_since(start), 1000, "is fast")
    box.join()
    ng2.allowed.append("open socket .* left in connection")
