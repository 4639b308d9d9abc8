#!/usr/bin/env python3
"""strata_no_cache: the response is not stored; a stored one may still be read."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    n = 0

    @origin.route("/*")
    def _(req):
        global n
        n += 1
        return Reply(f"v{n}".encode(), cc="max-age=60", headers=[("X-Keep", "no")])

    ng = t.nginx(origin, "strata_no_cache $http_x_dont $upstream_http_x_absent;", locations="""
        location /up/ { strata_cache z; strata_no_cache $upstream_http_x_keep; proxy_pass http://%ORIGIN%; }""")
    r = ng.fill("/a", headers={"X-Dont": "1"})
    is_((r.status, r.why), (200, "no-cache-set"), "reason")
    r = ng.fill("/a")
    ok(r.cache in ("MISS", "PASS"), f"not stored ({r.cache})")
    ng.fill("/b")
    is_(ng.get("/b").cache, "HIT", "without the condition: stored")
    is_(ng.get("/b", headers={"X-Dont": "1"}).cache, "HIT", "and read by all")
    for i in range(2):
        isnt(ng.fill("/up/a").cache, "HIT", "a variable of the response counts")
