#!/usr/bin/env python3
"""
lua-nginx-module in the same nginx, loaded before or after: both run scripts, wait, fail and are
reloaded, and share nothing.  Their content is cached as any other.
"""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

MODULES = "/usr/lib/nginx/modules"
with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        return Reply(f"{req.target} {req.get('X-By')}".encode(), cc="max-age=60")

    for first in (True, False):    # are theirs
        theirs = f"load_module {MODULES}/ndk_http_module.so; load_module {MODULES}/ngx_http_lua_module.so;"
        ng = t.nginx(origin, workers=1, start=False, only="""
            location /both {
                strata_cache z;
                rewrite_by_lua_block { ngx.req.set_header("X-By", "them") }
                strata_fetch_by_lua_block { fetch.headers["x-by"] = req.headers["x-by"] .. " and us" }
                strata_key_by_lua_block { return { req.uri, req.headers["x-by"] } }
                header_filter_by_lua_block { ngx.header["X-Theirs"] = ngx.var.strata_status }
                log_by_lua_block { ngx.shared.d:incr("n", 1, 0) }
                proxy_pass http://%ORIGIN%;
            }
            location = /ours { strata_content_by_lua_block {
                strata.sleep(0.05) return tostring(ngx) .. " " .. strata.zone("z"):incr("n", 1, 0) } }
            location = /theirs { content_by_lua_block {
                ngx.sleep(0.05) ngx.say(tostring(strata), " ", jit.status() and "jit" or "no jit", " ", ngx.shared.d:get("n") or 0) } }
            location = /now { content_by_lua_block { ngx.say(tostring(strata), " ", jit.status() and "jit") } }
            location /cached { strata_cache z; content_by_lua_block {
                ngx.header["Cache-Control"] = "max-age=60" ngx.ctx.n = ngx.var.request_method
                ngx.say("said ") ngx.flush(true) ngx.sleep(0.02) ngx.say(ngx.ctx.n, ngx.location.capture("/now").body) } }
            location = /slept { strata_content_by_lua_block { return strata.fetch("/theirs").body } }
            location = /fetch { strata_content_by_lua_block { return strata.fetch("/now").body } }
            location = /capture { content_by_lua_block { ngx.print(ngx.location.capture("/ours").body) } }
            location = /var { set_by_lua_block $x { return "set" }
                strata_content_by_lua_block { return req.var.x .. " " .. tostring(req.var.nothing) } }
            location = /fails { strata_content_by_lua_block { error("ours") } }
            location = /theirfails { content_by_lua_block { local ok = pcall(error, "theirs") ngx.exit(500) } }
            location = /loops { strata_content_by_lua_block { while true do end } }
            location = /oom { strata_content_by_lua_block { local t = {} for i = 1, 1e9 do t[i] = ("x"):rep(1000) .. i end } }""",
                     http="lua_shared_dict d 1m; strata_lua_memory 8m;")
        # in this order and in the other one
        text = pathlib.Path(ng.dir, "nginx.conf").read_text()
        own = load_module()
        ng.write(conf=text.replace(own, f"{theirs}\n{own}" if first else f"{own}\n{theirs}") if own else theirs + text)
        ng.start()
        for again in ("", "after a reload: "):
            r = ng.fill("/both", headers={"X-By": "client"})
            is_(r.body if not again else b"/both them and us", b"/both them and us", f"{again}both change what the origin hears")
            r = ng.get("/both")
            is_((r.cache, r.get("X-Theirs")), ("HIT", "HIT"), f"{again}a hit, and what they see of it")
            rs = [th.join().body for th in [in_thread(ng.get, p) for p in ("/ours", "/theirs") * 10]]
            ok(all(b.startswith(b"nil ") for b in rs), f"{again}neither sees the other's globals")
            ok(all(b" jit " in b for b in rs[1::2]), f"{again}their compiler is on as it was")
            told = [ng.fill("/cached" + again[:5].strip()) for _ in "12"]
            is_([(r.body, r.cache) for r in told], [(b"said \nGETnil jit\n\n", c) for c in ("MISS", "HIT")], f"{again}what they make is cached")
            ok(ng.get("/slept").body.startswith(b"nil jit"), f"{again}we ask one of theirs that sleeps")
            ok(ng.get("/fetch").body.startswith(b"nil jit"), f"{again}we ask them")
            ok(ng.get("/capture").body.startswith(b"nil "), f"{again}they ask us")
            is_(ng.get("/var").body, b"set nil", f"{again}their variables")
            is_([ng.get(f"/{p}").status for p in ("fails", "theirfails", "loops", "oom", "oom")], [500] * 5, f"{again}errors")
            ok(ng.get("/theirs").body.startswith(b"nil jit"), f"{again}our VM is made anew, theirs goes on")
            if not again:
                slow = [in_thread(ng.get, p) for p in ("/ours", "/theirs")]
                time.sleep(0.01)
                ng.reload()
                is_([s.join().status for s in slow], [200, 200], "a reload while both wait")
        ng.stop()
