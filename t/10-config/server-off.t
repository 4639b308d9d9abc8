#!/usr/bin/env python3
"""A server without strata_cache is plain nginx, also beside one that has it."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    origin.reply("/a", Reply(b"hello", cc="max-age=60"))
    ng = t.nginx(origin, only="""
        location / { proxy_pass http://%ORIGIN%; }
        location /c { strata_cache z; proxy_pass http://%ORIGIN%/a; }
        location /c-no-handler { strata_cache z; root %DIR%/html; }""")

    for i in range(3):
        r = ng.get("/a")
        is_((r.status, r.body), (200, b"hello"), "plain")
        is_(r.get("Age"), None, "no Age")
        is_(r.get("Cache-Status"), None, "no Cache-Status")
    is_(origin.count("/a"), 3, "each asks the origin")
    ng.fill("/c")
    is_(ng.get("/c").cache, "HIT", "its neighbour caches")
    is_(ng.get("/c-no-handler/x").status, 404, "a location without a proxy")
    is_(ng.request("/a", "PURGE").status, 200, "PURGE is the origin's where nothing is cached")
    is_(origin.count("/a", "PURGE"), 1, "it saw it")
