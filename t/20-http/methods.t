#!/usr/bin/env python3
"""strata_methods; other methods take nginx's ordinary path untouched."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        return Reply(f"{req.method} {len(req.body)}".encode(), cc="max-age=60")

    ng = t.nginx(origin, locations="""
        location /get/ { strata_cache z; strata_methods GET; proxy_pass http://%ORIGIN%; }""")
    for method in "POST", "PUT", "DELETE", "PATCH", "OPTIONS":
        for i in 1, 2:
            r = ng.request("/a", method, body=b"12345" if method != "OPTIONS" else None)
            is_((r.status, r.cache, r.why), (200, "PASS", "method"), f"{method} {i}")
            is_(r.body, f"{method} {5 if method != 'OPTIONS' else 0}".encode(), f"{method} {i}: body")
        is_(origin.count("/a", method), 2, f"{method}: each goes to the origin")
    is_(ng.fill("/a").cache, "MISS", "GET was not filled by any")
    is_(ng.get("/a").body, b"GET 0", "GET hit")
    is_(ng.request("/a", "POST", body=b"x").body, b"POST 1", "POST beside the entry")
    ng.fill("/get/a")
    r = ng.request("/get/a", "HEAD")
    is_((r.cache, r.why), ("PASS", "method"), "strata_methods GET: HEAD passes")
    is_(origin.count("/get/a", "HEAD"), 1, "as it is")
    at_least(ng.reasons().get("method", 0), 10, "counted by reason")
