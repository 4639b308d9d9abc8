#!/usr/bin/env python3
"""strata_purge_by_lua: who may purge, and how."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        return Reply(b"x", cc="max-age=60, stale-while-revalidate=60")

    ng = t.nginx(origin, only="""
        location / { strata_cache z; proxy_pass http://%ORIGIN%;
            strata_purge_by_lua_block {
                if req.headers["x-token"] == "soft" then return "invalidate" end
                if req.headers["x-token"] == "odd" then return 7 end
                if req.headers["x-token"] == "none" then return end
                return req.headers["x-token"] == "secret"
            } }
        location /both { strata_cache z; proxy_pass http://%ORIGIN%; strata_purge $arg_may;
            strata_purge_by_lua_block { return true } }
        location /file { strata_cache z; proxy_pass http://%ORIGIN%; strata_purge_by_lua_file purge.lua; }
        location /off { strata_cache z; proxy_pass http://%ORIGIN%; strata_purge_by_lua_file off; }""", start=False)
    ng.file("purge.lua", "error 'no'")
    ng.start()
    ng.fill("/a")
    is_(ng.purge("/a").status, 403, "without a token")
    is_(ng.purge("/a", headers={"X-Token": "wrong"}).status, 403, "with a wrong one")
    is_(ng.purge("/a", headers={"X-Token": "odd"}).status, 403, "what has no meaning refuses")
    is_(ng.get("/a").cache, "HIT", "nothing was purged")
    is_(ng.purge("/a", headers={"X-Token": "soft"}).status, 200, "a mode")
    ok(ng.get("/a").cache in ("STALE", "UPDATING"), "soft")
    is_(ng.purge("/a", headers={"X-Token": "secret"}).status, 200, "the right one")
    is_(ng.get("/a").cache, "MISS", "is gone")
    is_(ng.purge("/a", headers={"X-Token": "none"}).status, 403, "nothing returned is a no")
    is_(ng.purge("/both").status, 403, "strata_purge and the hook both have to agree")
    is_(ng.purge("/both?may=1").status, 404, "when they do")
    is_(ng.purge("/file").status, 403, "an error refuses")
    is_(ng.purge("/off").status, 403, "off: nobody may")
    is_(ng.count("lua_errors"), 2, "errors are counted")
