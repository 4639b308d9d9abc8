#!/usr/bin/env python3
"""A successful unsafe request invalidates its URL, and what Location and Content-Location name."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    n = {}

    @origin.route("/*")
    def _(req):
        if req.method == "GET":
            n[req.path] = n.get(req.path, 0) + 1
            return Reply(b"%d" % n[req.path], cc="max-age=60", headers=[("Vary", "X-L")])
        headers = [(k, v) for k, v in (("Location", req.get("X-Loc")), ("Content-Location", req.get("X-CL"))) if v]
        return Reply(b"", int(req.get("X-Say") or 200), headers=headers)

    ng = t.nginx(origin, locations="""
        location /off/ { strata_cache z; strata_invalidate off; proxy_pass http://%ORIGIN%; }""")

    def stored(path):
        ng.fill(path)
        is_(ng.get(path).cache, "HIT", f"{path} is stored")

    for method in "POST", "PUT", "DELETE", "PATCH", "BREW":
        stored("/a")
        is_(ng.request("/a", method).status, 200, f"{method}: passes")
        is_(ng.get("/a").cache, "MISS", f"{method}: the URL is invalid (RFC 9111, 4.4)")
    for status in 201, 204, 303:
        stored("/a")
        ng.request("/a", "POST", headers={"X-Say": str(status)})
        is_(ng.get("/a").cache, "MISS", f"{status} is a success")
    for status in 400, 403, 500, 503:
        stored("/a")
        ng.request("/a", "POST", headers={"X-Say": str(status)})
        is_(ng.get("/a").cache, "HIT", f"{status} changes nothing")
    for method in "OPTIONS", "HEAD":
        stored("/a")
        ng.request("/a", method)
        is_(ng.get("/a").cache, "HIT", f"{method} is safe")

    for field in "X-Loc", "X-CL":
        for url in "/b", f"http://localhost/b", "/b#part":
            stored("/b")
            ng.request("/a", "POST", headers={field: url})
            is_(ng.get("/b").cache, "MISS", f"{field}: {url}")
        for url in "http://other/b", "https://localhost/b", "//localhost.evil/b", "b", "http://localhost", "":
            stored("/b")
            ng.request("/a", "POST", headers={field: url})
            is_(ng.get("/b").cache, "HIT", f"{field}: {url!r} is not of this origin, or no path")

    stored("/off/a")
    ng.request("/off/a", "POST")
    is_(ng.get("/off/a").cache, "HIT", "strata_invalidate off")
