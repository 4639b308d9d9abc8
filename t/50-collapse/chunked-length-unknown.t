#!/usr/bin/env python3
"""Without Content-Length the leader streams; the waiters get the whole when it is there."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario(alone=True) as t:
    origin = t.origin()
    body = blob("clu", 100_000)
    origin.reply("/d", Reply(body, cc="max-age=60", chunked=True, drip=(10_000, 0.1)))
    origin.reply("/large", Reply(body * 20, cc="max-age=60", chunked=True, drip=(200_000, 0.05)))
    ng = t.nginx(origin)
    rs = ng.swarm([Client("/d")] + [Client("/d", start=0.1) for _ in range(20)])
    is_([r.body == body and r.complete for r in rs], [True] * 21, "all bytes right")
    is_(origin.count("/d"), 1, "one fetch")
    within(rs[0].body_ms, 100, "the leader's first byte")
    end = max(r.end_at for r in rs)
    within((end - rs[0].end_at) * 1000, 50, "waiters end soon after the leader")
    is_(ng.fill("/d").cache, "HIT", "stored")

    # it turns out larger than max_object (1m): nobody loses a byte
    rs = ng.swarm([Client("/large")] + [Client("/large", start=0.05) for _ in range(5)])
    is_([r.body == body * 20 and r.complete for r in rs], [True] * 6, "over max_object: all bytes right")
    is_(ng.fill("/large").cache == "HIT", False, "over max_object: not stored")
