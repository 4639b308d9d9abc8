#!/usr/bin/env python3
"""strata_l1 off keeps nothing in L1; strata_l1_ttl caps what L1 keeps; L1 alone and L2 alone."""
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
        if req.path.startswith("/slow"):
            time.sleep(0.3)
        return Reply(f"{n[req.path]}".encode(), cc="max-age=100",
                     headers=[("Vary", "X-L")] if "vary" in req.path else [])

    redis, a, b = l2.pair(t, origin, "strata_l1 off;")
    l2.ready(a), l2.ready(b)

    is_(a.fill("/a").get("X-Tier"), "origin", "fetched")
    l2.stored(redis)
    for i in range(3):
        r = a.get("/a")
        is_((r.body, r.cache, r.get("X-Tier")), (b"1", "HIT", "l2"), f"{i}: from L2 each time")
        a.quiet()
    is_(n["/a"], 1, "the origin was asked once")
    is_(a.count("hits"), 0, "no hit in L1")
    redis("FLUSHALL")
    is_(a.get("/a").body, b"2", "without L2 there is nothing")
    a.quiet()
    is_(a.count("dead"), 0, "nothing is left behind")

    a.fill("/vary", headers=[("X-L", "1")])
    tap.wait_until(lambda: a.count("l2_queued") == 0)
    r = b.get("/vary", headers=[("X-L", "1")])
    is_((r.body, r.get("X-Tier")), (b"1", "l2"), "a variant")
    is_(b.get("/vary", headers=[("X-L", "1")]).get("X-Tier"), "l2", "again")
    is_(b.get("/vary", headers=[("X-L", "2")]).body, b"2", "another one")

    rs = a.swarm([Client("/slow") for _ in range(50)])
    is_({(r.status, r.body) for r in rs}, {(200, b"1")}, "50 clients of a cold key")
    is_(n["/slow"], 1, "are collapsed")
    a.quiet()
    tap.wait_until(lambda: a.count("l2_queued") == 0)
    rs = b.swarm([Client("/slow") for _ in range(50)])
    is_(({(r.status, r.body) for r in rs}, n["/slow"]), ({(200, b"1")}, 1),
        "50 clients of what is in L2")

    c, = l2.gateways(t, origin, redis, "strata_l1_ttl 400ms; strata_jitter off;", n=1)
    l2.ready(c)
    c.fill("/ttl"), l2.stored(redis)
    tap.wait_until(lambda: c.count("l2_queued") == 0)
    is_(c.get("/ttl").get("X-Tier"), "l1", "strata_l1_ttl: in L1 at first")
    ok(any(99000 <= redis("PTTL", k) <= 100000 for k in l2.keys(redis)[""]),
       "in L2 for its whole life")
    time.sleep(0.5)
    r = c.get("/ttl")
    is_((r.body, r.get("X-Tier")), (b"1", "l2"), "then of L2")
    is_(c.get("/ttl").get("X-Tier"), "l1", "and L1 again")
    is_(n["/ttl"], 1, "not of the origin")

    d = t.nginx(origin, "strata_l2 off; strata_l1_ttl off;",
                http=f"strata_redis r {redis.url}; strata_l2 r;")
    d.fill("/only-l1")
    is_((d.get("/only-l1").get("X-Tier"), d.count("l2_misses")), ("l1", 0),
        "strata_l2 off: L1 alone")
