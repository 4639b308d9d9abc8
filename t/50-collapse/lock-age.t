#!/usr/bin/env python3
"""strata_lock_age: a fetch that has not published anything for so long gets a rival."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    gate = Gate()
    n = 0

    @origin.route("/g")
    def _(req):
        global n
        n += 1
        if n == 1:
            gate.wait()
            return Reply(b"old", cc="max-age=60")
        time.sleep(0.1)
        return Reply(b"new", cc="max-age=60")

    ng = t.nginx(origin, "strata_lock_age 300ms; strata_lock_timeout 10s;")
    leader = in_thread(ng.get, "/g")
    gate.arrived()
    time.sleep(0.4)
    rs = ng.swarm([Client("/g") for _ in range(10)])
    is_({(r.status, r.body) for r in rs}, {(200, b"new")}, "ten clients get the rival's answer")
    within(max(r.ms for r in rs), 300, "without waiting for the first")
    is_(n, 2, "one rival")
    gate.open()
    ok(leader.join().body in (b"old", b"new"), "the first is answered in the end")
    ng.quiet()
    is_(ng.get("/g").cache, "HIT", "the key is well")
