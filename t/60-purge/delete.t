#!/usr/bin/env python3
"""PURGE takes a URL out: 200 with counts, then 404; it never reaches the origin."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

import json

with scenario() as t:
    origin = t.origin()
    n = 0

    @origin.route("/*")
    def _(req):
        global n
        n += 1
        return Reply(b"v%d" % n, cc="max-age=60")

    ng = t.nginx(origin, "strata_purge 1;")
    ng.fill("/a"), ng.fill("/b")
    is_(ng.get("/a").cache, "HIT", "stored")
    r = ng.purge("/a")
    is_(r.status, 200, "PURGE")
    counts = json.loads(r.body)
    ok(any(v == 1 for v in counts.values()), f"counts {counts}")
    like(r.get("Content-Type"), "application/json", "JSON")
    is_(ng.purge("/a").status, 404, "again: 404")
    r = ng.fill("/a")
    is_((r.cache, r.body), ("MISS", b"v3"), "a new fetch")
    is_(ng.get("/b").body, b"v2", "another URL is untouched")
    is_(ng.purge("/never").status, 404, "a URL that was never there")
    for path in "/a?x=1", "/A", "/a/":
        is_(ng.purge(path).status, 404, f"{path} is another URL")
    is_(origin.count(method="PURGE"), 0, "the origin saw no PURGE")
    is_(ng.get("/a").cache, "HIT", "GET goes on")
    with ng.conn() as c:
        for i in range(5):
            is_(c.request("/a", "PURGE", body=b"body that is dropped").status, 200 if i == 0 else 404,
                f"on a keep-alive connection {i}")
        is_(c.get("/b").body, b"v2", "which goes on")
    at_least(ng.count("purges"), 1, "counted")
