#!/usr/bin/env python3
"""SIGKILL of workers that wait, read slowly or refresh: no pin, waiter or flight stays, no key is stuck."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario(alone=True) as t:
    origin = t.origin()
    body = blob("kr", 900_000)
    hold = Gate()
    n = {}

    @origin.route("/*")
    def _(req):
        n[req.path] = k = n.get(req.path, 0) + 1
        if req.path == "/wait":
            hold.wait(10)
        if req.path == "/refresh" and k == 2:
            time.sleep(5)
        return Reply(b"r%d" % k if req.path == "/refresh" else body,
                     cc="max-age=60" if req.path != "/refresh" else None)

    ng = t.nginx(origin, "strata_valid 200ms; strata_grace 1h; strata_lock_age 30s; strata_lock_timeout 30s;",
                 socket="sndbuf=16k")

    # slow readers
    ng.fill("/big")
    a, b = ng.workers()
    slow = [ng.conn_to(a, rcvbuf=4096) for _ in range(20)]
    for c in slow:
        c.send(build("/big"))
    ok(wait_until(lambda: (ng.count("pins") or 0) > 0, 2), "pins are held")
    ng.kill_worker(a)
    is_(ng.quiet(3), {}, "slow readers' worker dies: gauges back to 0")
    r = ng.get("/big")
    is_((r.cache, r.body == body), ("HIT", True), "the entry is well")
    for c in slow:
        c.close()
    wait_until(lambda: len(ng.workers()) == 2, 3)

    # waiters die, the leader lives
    a, b = ng.workers()
    with ng.conn_to(a) as lead:
        lead.send(build("/wait"))
        hold.arrived()
        conns = [ng.conn_to(b) for _ in range(20)]
        for c in conns:
            c.send(build("/wait"))
        wait_until(lambda: (ng.count("waiters") or 0) >= 20, 2)
        ng.kill_worker(b)
        ok(wait_until(lambda: (ng.count("waiters") or 0) <= 1, 3), "dead waiters are not counted")
        wait_until(lambda: len(ng.workers()) == 2, 3)
        hold.open()
        is_(lead.read().body == body, True, "the leader is served")
        for c in conns:
            c.close()
    is_(n["/wait"], 1, "by its one fetch")
    is_(ng.get("/wait").cache, "HIT", "and it is stored")

    # the worker that refreshes dies: nginx's own cache is stuck here for ever
    ng.fill("/refresh")
    time.sleep(0.3)
    a, b = ng.workers()
    with ng.conn_to(a) as c:
        is_(c.get("/refresh").body, b"r1", "stale while it refreshes")
    wait_until(lambda: n.get("/refresh") == 2)
    killed = time.monotonic()
    ng.kill_worker(a)
    ok(wait_until(lambda: ng.get("/refresh").body == b"r3", 5, 0.01), "another worker refreshes")
    within(ms_since(killed), 250 + 100, "within 250 ms + the new fetch", slack_ms=350)
    is_(n["/refresh"], 3, "once")

    # all at once
    wait_until(lambda: len(ng.workers()) == 2, 3)
    for pid in ng.workers():
        ng.kill_worker(pid)
    ok(wait_until(lambda: len(ng.workers()) == 2 and ng.get("/big").cache == "HIT", 5), "both die: the zone lives")
    is_(ng.get("/big").body == body, True, "with the right bytes")
