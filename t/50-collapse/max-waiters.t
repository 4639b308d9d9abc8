#!/usr/bin/env python3
"""strata_lock_max_waiters: who comes when so many wait goes its own way at once."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    gate = Gate()
    lock, n = threading.Lock(), 0

    @origin.route("/g")
    def _(req):
        global n
        with lock:
            n += 1
            mine = n
        if mine == 1:
            gate.wait()
        return Reply(b"%d" % mine, cc="max-age=60")

    ng = t.nginx(origin, "strata_lock_max_waiters 3;", workers=1)
    leader = in_thread(ng.get, "/g")
    gate.arrived()
    waiters = in_thread(ng.swarm, [Client("/g") for _ in range(3)])
    wait_until(lambda: (ng.count("waiters") or 0) >= 3, 2)
    time.sleep(0.05)
    rs = ng.swarm([Client("/g") for _ in range(5)])
    is_({r.why for r in rs}, {"lock-waiters"}, "reason")
    within(max(r.ms for r in rs), 100, "at once")
    gate.open()
    is_({r.body for r in waiters.join()}, {b"1"}, "those that waited share the leader's")
    leader.join()
