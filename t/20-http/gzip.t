#!/usr/bin/env python3
"""gzip runs on the way out: stored once, plain; each client gets what it accepts."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

import gzip

with scenario() as t:
    origin = t.origin()
    plain = text("gzip", 20_000)
    origin.reply("/a", Reply(plain, cc="max-age=60", headers=[("ETag", '"g"')]))
    origin.reply("/private", Reply(plain, cc="private"))
    origin.reply("/drip", Reply(plain, cc="max-age=60", drip=(4000, 0.03)))
    origin.reply("/small", Reply(b"tiny", cc="max-age=60"))
    ng = t.nginx(origin, "gzip on; gzip_types text/plain; gzip_min_length 100; gzip_proxied any;"
                 "gzip_vary on;", h2=True)
    AE = {"Accept-Encoding": "gzip"}

    def unpack(r):
        return gzip.decompress(r.body) if r.get("Content-Encoding") == "gzip" else r.body

    for path in "/a", "/private", "/drip":
        for i in range(3):
            r = ng.fill(path, headers=AE)
            is_(r.get("Content-Encoding"), "gzip", f"{path} {i}: compressed ({r.cache})")
            is_(unpack(r), plain, f"{path} {i}: right bytes")
            r = ng.fill(path)
            is_((r.get("Content-Encoding"), r.body == plain), (None, True), f"{path} {i}: plain")
    at_most(origin.count("/a"), 2, "fetches of /a")
    is_(ng.get("/a", headers=AE).cache, "HIT", "hit, compressed")
    r = ng.get("/a", headers=dict(AE, Range="bytes=0-9"))
    ok(r.status in (200, 206), f"range with gzip ({r.status})")
    if r.status == 206 and not r.get("Content-Encoding"):
        is_(r.body, plain[:10], "is a range of the plain body")
    r = ng.get("/a", headers=dict(AE, **{"If-None-Match": 'W/"g"'}))
    is_(r.status, 304, "the weak tag of the compressed form")
    is_(unpack(ng.fill("/small", headers=AE)), b"tiny", "too small to compress")
    is_(ng.request("/a", "HEAD", headers=AE).body, b"", "HEAD")
    rs = ng.swarm([Client("/cold", headers=AE if i % 2 else {}) for i in range(20)])
    ok(all(r.status == 404 for r in rs), "20 mixed clients")
