#!/usr/bin/env python3
"""strata_heuristic: a part of the time since Last-Modified, for what may be stored without being told."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

import email.utils

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        what = req.path.rpartition("/")[2]
        lm = email.utils.formatdate(time.time() - (2 if what == "young" else 86400), usegmt=True)
        return Reply(b"x", status=404 if what == "404" else 403 if what == "403" else 200,
                     cc={"zero": "max-age=0", "no": "no-store"}.get(what),
                     headers=[] if what == "none" else [("Last-Modified", lm)])

    ng = t.nginx(origin, "strata_heuristic 10%; strata_jitter off;", locations="""
        location /off/ { strata_cache z; proxy_pass http://%ORIGIN%; }
        location /max/ { strata_cache z; strata_jitter off; strata_heuristic 100% max=100s;
                         strata_cache_status on; proxy_pass http://%ORIGIN%; }""")
    for path, cached in ("/a", True), ("/404", True), ("/403", False), ("/none", False), ("/no", False), \
            ("/off/a", False), ("/max/a", True):
        ng.fill(path)
        r = ng.get(path)
        is_(r.cache in ("HIT", "NEGATIVE"), cached, f"{path}: {r.cache}")
        if path == "/a":
            ok("ttl=8639" in r.get("Cache-Status") or "ttl=8640" in r.get("Cache-Status"), "a tenth")
        if path == "/max/a":
            ok("ttl=99" in r.get("Cache-Status") or "ttl=100" in r.get("Cache-Status"), "at most max")
    ng.fill("/zero")
    ok(ng.get("/zero").cache not in ("HIT", "NEGATIVE"), "a lifetime of 0 is one")
    for bad in "strata_heuristic 10;", "strata_heuristic 101%;", "strata_heuristic 10% min=1s;", "strata_heuristic 10% max=x;":
        ok("strata_heuristic" in t.config_error(location=bad), bad)
