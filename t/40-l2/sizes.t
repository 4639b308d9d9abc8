#!/usr/bin/env python3
"""Bodies of all sizes, in one piece and in parts; limits hold; a missing part is a miss."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
import l2

UNIT = 256 * 1024
SIZES = [0, 1, 1023, 1024, 1025, UNIT - 1, UNIT, UNIT + 1, 2 * UNIT, 2 * UNIT + 7, 1 << 20]

with scenario(90) as t:
    origin = t.origin()
    n = {}

    @origin.route("/*")
    def _(req):
        n[req.path] = n.get(req.path, 0) + 1
        size = int(req.path.rsplit("/", 1)[1])
        return Reply(blob(req.path, size), cc="max-age=100", chunked="chunked" in req.path)

    redis = l2.server(t)
    a, = l2.gateways(t, origin, redis, "strata_max_object 8m; strata_l2_max_size 3m;",
                     n=1, zone="z 128m")
    b, = l2.gateways(t, origin, redis, "strata_max_object 2m;", n=1, zone="z 128m")
    l2.ready(a), l2.ready(b)

    for kind in "plain", "chunked":
        for size in SIZES:
            path = f"/{kind}/{size}"
            a.fill(path)
            tap.wait_until(lambda: a.count("l2_queued") == 0)
            r = b.get(path)
            ok(r.body == blob(path, size) and r.get("X-Tier") == "l2" and n[path] == 1,
               f"{kind}, {size} bytes")

    a.fill("/p/4000000")
    tap.wait_until(lambda: a.count("l2_queued") == 0)
    r = b.get("/p/4000000")
    is_((r.get("X-Tier"), n["/p/4000000"]), ("origin", 2), "over strata_l2_max_size: not in L2")

    a.fill("/p/2500000")
    tap.wait_until(lambda: a.count("l2_queued") == 0)
    r = b.get("/p/2500000")
    is_((r.get("X-Tier"), n["/p/2500000"]), ("origin", 2), "over strata_max_object: not taken")

    redis("FLUSHALL")
    a.fill("/q/1000000")
    tap.wait_until(lambda: a.count("l2_queued") == 0)
    redis("DEL", l2.keys(redis)[":p"][1])
    r = b.get("/q/1000000")
    ok(r.body == blob("/q/1000000", 1000000), "a part is missing: the body is whole")
    is_((r.get("X-Tier"), n["/q/1000000"]), ("origin", 2), "and the origin's")
    b.quiet()
    is_(b.count("writing"), 0, "nothing is left of the half")

    c, = l2.gateways(t, origin, redis, "strata_max_object 8m;", n=1, zone="z 1m")
    l2.ready(c)
    b.fill("/r/900000")
    tap.wait_until(lambda: b.count("l2_queued") == 0)
    r = c.get("/r/900000")
    ok(r.body == blob("/r/900000", 900000), "too large for the zone: the origin has it")
