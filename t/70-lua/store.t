#!/usr/bin/env python3
"""strata_store_by_lua: lifetime, grace, fields, and whether to store at all."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        cc = req.get("X-CC")
        return Reply(b"body", status=int(req.get("X-Code") or 200), cc=cc,
                     headers=[("ETag", '"v1"'), ("X-Old", "a"), ("X-Old", "b"), ("X-Kind", req.get("X-Kind") or "n")])

    ng = t.nginx(origin, only="""
        location / { strata_cache z; proxy_pass http://%ORIGIN%; strata_store_by_lua_file store.lua; }
        location /off { strata_cache z; proxy_pass http://%ORIGIN%; strata_store_by_lua_file off; }
        location /bad { strata_cache z; proxy_pass http://%ORIGIN%; strata_store_by_lua_block { res.status = 1 } }
        location /name { strata_cache z; proxy_pass http://%ORIGIN%; strata_store_by_lua_block { res.headers["content-length"] = "1" } }
        location /split { strata_cache z; proxy_pass http://%ORIGIN%; strata_store_by_lua_block { res.headers["x-a"] = "1\\r\\nX-B: 2" } }
        location /nul { strata_cache z; proxy_pass http://%ORIGIN%; strata_store_by_lua_block { res.headers["x-a"] = "1\\0" } }
        location /tag { strata_cache z; proxy_pass http://%ORIGIN%; strata_store_by_lua_block { res.tags = { "a b" } } }
        location /ttl { strata_cache z; proxy_pass http://%ORIGIN%; strata_store_by_lua_block { res.ttl = -1 } }
        location /nan { strata_cache z; proxy_pass http://%ORIGIN%; strata_store_by_lua_block { res.ttl = 0/0 } }
        location /grace { strata_cache z; proxy_pass http://%ORIGIN%; strata_jitter 0;
            strata_store_by_lua_block { res.ttl = 0.05 res.grace = 60 } }""", start=False)
    ng.file("store.lua", """
        if res.headers["x-kind"] == "no" then res.store = false end
        if res.headers["x-kind"] == "ttl" then res.ttl = 60.5 res.tags = { "a", "b" } end
        if res.headers["x-kind"] == "zero" then res.ttl = 0 end
        if res.headers["x-kind"] == "head" then
            res.headers["x-old"] = nil
            res.headers["x-new"] = req.uri .. " " .. res.status .. " " .. req.headers["x-kind"]
            res.headers["etag"] = '"mine"'
        end""")
    ng.start()

    def get(path, **h):
        return ng.fill(path, headers={k.replace("_", "-"): v for k, v in h.items()})

    get("/1", X_CC="max-age=60")
    is_(ng.get("/1").cache, "HIT", "a hook that says nothing")
    r = get("/2", X_CC="max-age=60", X_Kind="no")
    is_((r.status, ng.get("/2").cache), (200, "PASS"), "store = false")
    r = get("/3", X_Kind="ttl")
    is_((r.cache, ng.get("/3").cache), ("MISS", "HIT"), "a lifetime where the origin gives none")
    get("/4", X_Kind="ttl", X_Code="503")
    is_((ng.get("/4").status, ng.get("/4").cache), (503, "NEGATIVE"), "for any status, in the script's own words")
    get("/5", X_Kind="ttl", X_CC="private")
    is_(ng.get("/5").cache, "PASS", "private stays private")
    get("/6", X_Kind="zero", X_CC="max-age=60")
    isnt(ng.get("/6").cache, "HIT", "no lifetime is not stored")
    get("/7", X_Kind="head", X_CC="max-age=60")
    r = ng.get("/7")
    is_((r.cache, r.get("X-Old"), r.get("X-New"), r.get("ETag")), ("HIT", None, "/7 200 head", '"mine"'), "fields of the stored head")
    is_(ng.get("/7", headers={"If-None-Match": '"mine"'}).status, 304, "its ETag is the entry's")
    get("/off/1", X_CC="max-age=60", X_Kind="no")
    is_(ng.get("/off/1").cache, "HIT", "off ends what was inherited")
    for n, where in enumerate(("bad", "name", "split", "nul", "tag", "ttl", "nan")):
        r = get(f"/{where}/1", X_CC="max-age=60")
        is_((r.status, r.body, r.get("X-B")), (200, b"body", None), f"{where}: the client gets the answer")
        r = ng.get(f"/{where}/1")
        is_((r.cache, ng.count("lua_errors") > n), ("PASS", True), f"{where}: and nothing is stored")
    ok(ng.reasons().get("hook", 0) >= 8, "the reason is counted")

    get("/grace/1")
    time.sleep(0.1)
    r = ng.get("/grace/1")
    ok(r.cache in ("STALE", "UPDATING"), "within the script's grace")
