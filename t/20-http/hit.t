#!/usr/bin/env python3
"""The second request for a URL is answered from memory by either worker."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    body = blob("hit", 5000)
    origin.reply("/a", Reply(body, cc="max-age=60", type="application/json"))
    ng = t.nginx(origin)

    r = ng.fill("/a")
    is_((r.status, r.body == body, r.complete), (200, True, True), "first: whole body")
    is_(r.cache, "MISS", "first: MISS")
    is_(r.why, "miss", "first: reason")
    is_(r.tier, "origin", "first: tier")

    workers = set()
    for i in range(40):
        r = ng.get("/a")
        workers.add(r.pid)
        if (r.status, r.cache, r.body == body) != (200, "HIT", True):
            ok(False, f"hit {i}: {r}")
            break
    is_(len(workers), 2, "hits from both workers")
    is_(r.why, "", "a hit has no reason")
    is_(r.tier, "l1", "a hit's tier")
    is_(r.get("Content-Length"), "5000", "its length")
    is_(r.get("Content-Type"), "application/json", "its type")
    is_(origin.count("/a"), 1, "the origin was asked once")

    with ng.conn() as c:
        is_([c.get("/a").body == body for _ in range(10)], [True] * 10, "keep-alive hits")
    is_(ng.count("hits"), 50, "counted: hits")
    is_(ng.count("misses"), 1, "counted: misses")
    is_(ng.count("stores"), 1, "counted: stores")
    is_(ng.count("entries"), 1, "counted: entries")
