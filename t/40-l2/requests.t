#!/usr/bin/env python3
"""Requests that insist, and those that only want what is cached; bypass writes; clients that leave."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
import l2

with scenario() as t:
    origin = t.origin()
    n = {}

    @origin.route("/*")
    def _(req):
        n[req.path] = n.get(req.path, 0) + 1
        return Reply(b"%d" % n[req.path], cc="max-age=60")

    redis, a, b = l2.pair(t, origin, "strata_request_control on; strata_bypass $http_x_bypass;")
    l2.ready(a), l2.ready(b)

    def settled():
        for ng in a, b:
            ng.quiet()
            tap.wait_until(lambda: ng.count("l2_queued") == 0)

    def cc(ng, path, value):
        return ng.get(path, headers=[("Cache-Control", value)])

    is_(cc(b, "/oic", "only-if-cached").status, 504, "only-if-cached: nothing anywhere")
    a.fill("/oic"), settled()
    r = cc(b, "/oic", "only-if-cached")
    is_((r.status, r.get("X-Tier"), n["/oic"]), (200, "l2", 1), "only-if-cached: L2 has it")

    a.fill("/nc"), settled()
    r = cc(b, "/nc", "no-cache")
    is_((r.body, r.get("X-Tier")), (b"2", "origin"), "no-cache: the origin, though L2 has it")
    settled()
    c, = l2.gateways(t, origin, redis, n=1)
    l2.ready(c)
    is_(c.get("/nc").body, b"2", "and L2 has the newer one")

    a.fill("/age"), settled()
    time.sleep(1.2)
    r = cc(b, "/age", "max-age=1")
    is_(r.body, b"2", "max-age: too old in L2")
    settled()

    a.fill("/bp"), settled()
    r = b.get("/bp", headers=[("X-Bypass", "1")])
    is_((r.body, r.cache), (b"2", "BYPASS"), "strata_bypass: the origin")
    settled()
    is_(c.get("/bp").body, b"2", "what it brought is in L2")

    # clients that leave while L2 is asked
    redis("CLIENT", "PAUSE", "300", "ALL")
    b.swarm([Client(f"/gone{i % 10}", abort="sent", abort_after=0.005) for i in range(40)])
    time.sleep(0.5)
    is_(b.quiet(), {}, "clients that leave leave nothing behind")
    is_({b.get(f"/gone{i}").status for i in range(10)}, {200}, "and all goes on")

    # a reload while look-ups and writes are under way
    stop = threading.Event()
    wrong = []

    def load(k):
        i = 0
        while not stop.is_set():
            i += 1
            r = b.get(f"/reload{k}-{i}")
            if r.status != 200:
                wrong.append(r.status or r.error)

    threads = [in_thread(load, k) for k in range(4)]
    for _ in range(3):
        time.sleep(0.3)
        ok(b.reload(), "reload under load")
    stop.set()
    [x.join() for x in threads]
    is_(wrong, [], "no request fails")
