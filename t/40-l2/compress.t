#!/usr/bin/env python3
"""strata_l2_compress: packed from min on, read by all, in one piece and in parts."""
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
        size = int(req.path.rsplit("/", 1)[1])
        make = blob if req.path.startswith("/blob") else text
        return Reply(make(req.path, size), cc="max-age=60")

    redis = l2.server(t)
    a, = l2.gateways(t, origin, redis, "strata_l2_compress zstd min=2k; strata_max_object 4m;",
                     n=1, zone="z 64m")
    b, = l2.gateways(t, origin, redis, "strata_l2_compress off; strata_max_object 4m;",
                     n=1, zone="z 64m")
    l2.ready(a), l2.ready(b)

    def stored(path):
        """Bytes in Redis."""
        redis("FLUSHALL")
        a.fill(path)
        tap.wait_until(lambda: a.count("l2_queued") == 0)
        return sum(redis("STRLEN", k) for k in redis("KEYS", "*"))

    for path, most, least in (("/text/1500", 2500, 1500), ("/text/3000", 700, 0),
                              ("/text/200000", 4000, 0), ("/text/1000000", 10000, 0),
                              ("/blob/3000", 4000, 3000), ("/blob/600000", 700000, 600000)):
        size = stored(path)
        ok(least <= size <= most, f"{path}: {size} bytes in Redis")
        r = b.get(path)
        make = blob if path.startswith("/blob") else text
        ok(r.body == make(path, int(path.rsplit("/", 1)[1])) and r.get("X-Tier") == "l2",
           f"{path}: the same on the other")

    stored("/text/500000")
    key = l2.keys(redis)[":p"][0]
    redis("SETRANGE", key, 10, "xx")
    r = b.get("/text/500000")
    ok(r.body == text("/text/500000", 500000) and r.get("X-Tier") == "origin",
       "a damaged part is a miss")
    is_((r.get("X-Reason"), b.count("l2_damaged")), ("l2-damaged", 1), "and said so")
