#!/usr/bin/env python3
"""strata_lock_timeout: a waiter goes its own way, and what it gets is not stored; stale if it may."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario(alone=True) as t:
    origin = t.origin()
    gate = Gate()
    n = 0

    @origin.route("/g")
    def _(req):
        global n
        n += 1
        if n == 1:
            gate.wait()
            return Reply(b"late", cc="max-age=60")
        return Reply(b"own %d" % n, cc="max-age=60")

    ng = t.nginx(origin, "strata_lock_timeout 300ms;")
    leader = in_thread(ng.get, "/g")
    gate.arrived()
    rs = ng.swarm([Client("/g") for _ in range(4)])
    ok(all(r.status == 200 and r.body.startswith(b"own") for r in rs), "each fetched for itself")
    is_({r.why for r in rs}, {"lock-timeout"}, "reason")
    at_least(min(r.ms for r in rs), 290, "not before the time")
    within(max(r.ms for r in rs), 450, "not long after it")
    is_(ng.get("/g", headers={"X": "1"}).why, "lock-timeout", "their answers were not stored")
    at_least(ng.count("lock_timeouts"), 5, "counted")
    gate.open()
    is_(leader.join().body, b"late", "the leader gets its own")
    ng.quiet()
    r = ng.get("/g")
    is_((r.cache, r.body), ("HIT", b"late"), "which is stored")

    # with strata_use_stale lock: what is stale is served instead
    gate2, m = Gate(), 0

    @origin.route("/s")
    def _(req):
        global m
        m += 1
        if m > 1:
            gate2.wait()
        return Reply(b"s%d" % m)

    ng2 = t.nginx(origin, "strata_valid 100ms; strata_grace 1h; strata_background_update off;"
                  "strata_lock_timeout 200ms; strata_use_stale lock;")
    ng2.fill("/s")
    time.sleep(0.2)
    leader = in_thread(ng2.get, "/s")
    gate2.arrived()
    r = ng2.get("/s")
    is_((r.status, r.body, r.cache), (200, b"s1", "STALE"), "stale at the timeout")
    within(r.ms, 300, "in time")
    gate2.open()
    is_(leader.join().body, b"s2", "the leader")
