#!/usr/bin/env python3
"""HEAD is answered from the GET entry, and fills it by a GET."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    body = blob("head", 4000)
    origin.reply("/a", Reply(body, cc="max-age=60", headers=[("X-A", "1")]))
    origin.reply("/b", Reply(body, cc="max-age=60", chunked=True))
    origin.reply("/private", Reply(body, cc="private"))
    ng = t.nginx(origin)

    r = ng.fill("/a", method="HEAD")
    is_((r.status, r.body, r.cache), (200, b"", "MISS"), "HEAD of a cold key")
    is_((r.get("Content-Length"), r.get("X-A")), ("4000", "1"), "headers of the GET")
    is_(origin.count("/a", "GET"), 1, "the origin saw a GET")
    is_(origin.count("/a", "HEAD"), 0, "and no HEAD")
    r = ng.get("/a")
    is_((r.cache, r.body == body), ("HIT", True), "GET after it: whole body")
    r = ng.request("/a", "HEAD")
    is_((r.cache, r.get("Content-Length"), r.body), ("HIT", "4000", b""), "HEAD is a hit")

    with ng.conn() as c:
        for i in range(5):
            is_(c.request("/a", "HEAD").body, b"", f"keep-alive HEAD {i}")
            is_(c.get("/a").body == body, True, f"keep-alive GET {i}")

    ng.fill("/b")
    r = ng.request("/b", "HEAD")
    is_((r.cache, r.body), ("HIT", b""), "HEAD of what came chunked")
    r = ng.fill("/private", method="HEAD")
    is_((r.status, r.body), (200, b""), "HEAD of what is not storable")
    is_(ng.get("/private").body, body, "GET of it")
