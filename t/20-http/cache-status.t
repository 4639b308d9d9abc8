#!/usr/bin/env python3
"""Cache-Status (RFC 9211): hit, fwd with its word, detail, ttl, stored; key never by default."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

import re

with scenario() as t:
    origin = t.origin()
    origin.reply("/a", Reply(b"x", cc="max-age=60"))
    origin.reply("/v", Reply(b"x", cc="max-age=60", headers=[("Vary", "X-L")]))
    origin.reply("/private", Reply(b"x", cc="private"))
    origin.reply("/up", Reply(b"x", cc="max-age=60", headers=[("Cache-Status", "Origin; hit")]))
    ng = t.nginx(origin, "strata_bypass $arg_b;", locations="""
        location /named/ { strata_cache z; strata_cache_status edge-1; proxy_pass http://%ORIGIN%/; }
        location /off/ { strata_cache z; strata_cache_status off; proxy_pass http://%ORIGIN%/; }""")

    def ours(r):
        return (r.all("Cache-Status") or [""])[-1].split(", ")[-1]

    r = ng.fill("/a")
    like(ours(r), r";\s*fwd=(uri-)?miss", "miss")
    like(ours(r), r";\s*fwd-status=200|;\s*stored", "miss: what came of it")
    r = ng.get("/a")
    like(ours(r), r"^[A-Za-z\"][^;]*;\s*hit", "hit")
    unlike(ours(r), "fwd", "a hit is not forwarded")
    ttl = re.search(r"ttl=(-?\d+)", ours(r))
    ok(ttl and 50 <= int(ttl[1]) <= 60, "ttl")
    like(ours(ng.get("/a?b=1")), "fwd=bypass", "bypass")
    like(ours(ng.request("/a", "POST", body=b"")), "fwd=method", "method")
    ng.fill("/v", headers={"X-L": "1"})
    like(ours(ng.fill("/v", headers={"X-L": "2"})), "fwd=vary-miss", "vary-miss")
    like(ours(ng.fill("/private")), r"detail=\"?private", "detail: the reason")
    like(ours(ng.fill("/private")), r"fwd=", "hit-for-miss is forwarded")
    ng.fill("/up")
    like(", ".join(ng.get("/up").all("Cache-Status")), r"Origin; hit.*, ", "the origin's own member stays first")
    ng.fill("/named/a")
    like(ours(ng.get("/named/a")), "^edge-1;", "own name")
    is_(ng.fill("/off/a").get("Cache-Status"), None, "off")
    ng.fill("/a?secret=1")
    unlike(ours(ng.get("/a?secret=1")), "secret", "no key in it")
