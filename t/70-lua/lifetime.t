#!/usr/bin/env python3
"""What scripts keep longer than their request, and what becomes of them when that, the VM or the worker goes."""
import os, pathlib, signal, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

LOCATIONS = """
    location /up/ { proxy_pass http://%ORIGIN%; }
    location /slow/ { limit_req zone=slow burst=100; proxy_pass http://%ORIGIN%; }
    location /checked/ { auth_request /check; proxy_pass http://%ORIGIN%; }
    location = /check { internal; strata_content_by_lua_block { strata.sleep(tonumber(req.args.s or 0.05)) res.status = 204 } }
    location /redirected/ { proxy_pass http://%ORIGIN%; }
    location /pages/ { error_page 500 = /page; strata_content_by_lua_block { res.headers["x-first"] = "1" strata.sleep(0.01) error("x") } }
    location = /page { strata_content_by_lua_block { strata.sleep(0.01) return "page for " .. req.uri .. " " .. req.method } }
    location /inherited { error_page 404 = @named; strata_content_by_lua_block { res.status = 404 return "own" } }
    location @named { return 200 "other"; }
    location = /keep { strata_content_by_lua_block {
        local kept = require("kept")
        local out = kept.get and { kept.get().uri, kept.get().args.n, tostring(kept.headers["x-a"]), kept.var.arg_n, kept.inner() } or {}
        kept.keep(req, req.headers, req.var, res, coroutine.wrap(function()
            while true do coroutine.yield(req.args.n) end end))
        if req.args.s then strata.sleep(tonumber(req.args.s)) end
        return table.concat(out, " ") } }
    location /kept { strata_cache z; proxy_pass http://%ORIGIN%;
        strata_key_by_lua_block { local kept = require("kept") return kept.get().uri .. tostring(pcall(kept.answer)) } }
    location = /thread { strata_content_by_lua_block {
        local kept = require("kept")
        if req.args.take then
            local co, other = kept.thread, kept.other
            local ok, text = pcall(other)
        return tostring(co and coroutine.resume(co)) .. " " .. tostring(ok) .. " " .. tostring(text)
        end
        kept.store(coroutine.running(), coroutine.wrap(function() return strata.sleep(5) or "not here" end))
        strata.sleep(0.5)
        return "mine" } }
    location = /load { strata_content_by_lua_block { return require(req.args.m) } }
    location = /why { strata_content_by_lua_block { return tostring(select(2, pcall(require, req.args.m))) } }
    location = /fetch { strata_content_by_lua_block {
        local r, e = strata.fetch(req.args.u, { timeout = tonumber(req.args.t) }) return r and r.status .. " " .. r.body or e } }
    location = /sleep { strata_content_by_lua_block { strata.sleep(tonumber(req.args.s)) return "slept" } }
    location = /lock { strata_content_by_lua_block {
        local l, e = strata.lock("l", { ttl = 0.5, wait = 20 }) if not l then return e end
        strata.sleep(tonumber(req.args.s or 0)) l:release() return "had it" } }
    location = /once { strata_content_by_lua_block {
        return strata.zone("z"):get_or_set(req.args.k, { ttl = 60 }, function() strata.sleep(tonumber(req.args.s or 0)) return "made" end) } }
    location = /oom { strata_content_by_lua_block { local t = {} for i = 1, 1e9 do t[i] = ("x"):rep(1000) .. i end } }
"""

with scenario() as t:
    origin = t.origin()
    gate = Gate()

    @origin.route("/*")
    def _(req):
        if "gate" in req.target:
            gate.wait(5)
        if "redirected" in req.target:
            return Reply(b"", headers=[("X-Accel-Redirect", "/up/other")])
        return Reply(req.target.encode(), cc="max-age=60")

    ng = t.nginx(origin, workers=1, h2=True, main="worker_shutdown_timeout 1500ms;", only=LOCATIONS,
                 http=f"strata_lua_budget {int(50 * tap.SLOW)}ms;" """limit_req_zone $server_name zone=slow:1m rate=1r/s; strata_lua_path "%DIR%/?.lua"; strata_lua_memory 8m;""",
                 start=False)
    ng.file("kept.lua", """
        local M, kept = {}, {}
        function M.keep(r, h, v, s, co) M.keep2(r, h, v, s, co) end
        function M.keep2(r, h, v, s, co) kept.req, kept.res, kept.co = r, s, co M2 = 1 end
        return setmetatable({}, { __index = function(_, name)
            if name == "get" then return kept.req and function() return kept.req end end
            if name == "headers" then return kept.req.headers end
            if name == "var" then return kept.req.var end
            if name == "inner" then return kept.co end
            if name == "answer" then return function() return kept.res.status end end
            if name == "store" then return function(co, other) kept.thread, kept.other = co, other end end
            return kept[name] or M[name]
        end })""")
    ng.file("long.lua", "local n = 0 for i = 1, 1e9 do n = n + i end return 'never'")
    ng.file("waits.lua", "local ok, err = strata.sleep(5) return 'loaded ' .. tostring(err)")
    ng.file("loop.lua", "return require('loop')")
    ng.file("late.lua", "error('not yet')")
    ng.start()

    # req and its parts are of the request that runs, whoever kept them
    is_(ng.get("/keep?n=1", headers={"X-A": "a"}).body, b"", "one script keeps what it was given")
    for n in (2, 3):
        is_(ng.get(f"/keep?n={n}", headers={"X-A": f"b{n}"}).body, b"/keep %d b%d %d %d" % (n, n, n, n), "the next one sees its own request")
    slow = in_thread(ng.get, "/keep?n=4&s=0.3")
    time.sleep(0.1)
    is_(ng.get("/keep?n=5", headers={"X-A": "c"}).body, b"/keep 5 c 5 5", "also while the other waits")
    is_(slow.join().status, 200, "which goes on")
    r = ng.get("/kept")
    is_(r.status, 200, "a key hook with what a content script kept")

    # threads
    waiting = in_thread(ng.get, "/thread")
    time.sleep(0.2)
    is_(ng.get("/thread?take=1").body, b"nil true not here", "a script's own thread is nobody's to resume; a coroutine can't wait")
    is_(waiting.join().body, b"mine", "it goes on by itself")

    # modules
    is_([ng.get("/load?m=long").status for _ in range(3)], [500] * 3, "a module that takes too long")
    ng.file("long.lua", "return 'mended'")
    is_(ng.get("/load?m=long").body, b"mended", "can be loaded once it is mended")
    is_([w.join().body for w in [in_thread(ng.get, "/load?m=waits") for _ in range(4)]], [b"loaded cannot wait here"] * 4,
        "nothing waits while it loads a module")
    ok(ng.get("/why?m=loop").body.endswith(b"module 'loop' requires itself"), "one that requires itself")
    is_(ng.get("/load?m=late").status, 500, "one that fails")
    ng.file("late.lua", "return 'now'")
    is_(ng.get("/load?m=late").body, b"now", "is tried again")

    # nginx around it
    is_(ng.get("/checked/a").body, b"/checked/a", "auth_request by a script that waits")
    r = ng.request("/pages/a", "POST", body=b"x")
    is_((r.status, r.body, r.get("X-First")), (200, b"page for /page GET", None), "error_page by another script")
    is_(ng.get("/inherited").body, b"own", "a script's own status is its own")
    is_(ng.get("/fetch?u=/redirected/a").body, b"200 /up/other", "X-Accel-Redirect in what is fetched")
    is_(ng.get("/fetch?u=/checked/a").body, b"200 /checked/a", "auth_request in what is fetched")
    ok(ng.get("/fetch?u=/pages/a").body.startswith(b"200 page for /page"), "error_page in what is fetched")
    ng.get("/slow/1")
    is_([w.join().body for w in [in_thread(ng.get, "/fetch?u=/slow/a&t=0.1") for _ in range(5)]], [b"timeout"] * 5, "given up in limit_req")
    is_([w.join().body for w in [in_thread(ng.get, "/fetch?u=/up/gate&t=0.1") for _ in range(5)]], [b"timeout"] * 5, "given up in an upstream")
    gate.open()

    # clients that leave, each kind of waiting
    urls = ["/sleep?s=20", "/lock?s=20", "/lock", "/once?k=a&s=20", "/once?k=a", "/fetch?u=/sleep?s=20", "/fetch?u=/slow/b", "/checked/b?s=20"]
    for kind in ("HTTP/1.1", "HTTP/2, one stream", "HTTP/2, the connection"):
        if kind == "HTTP/1.1":
            conns = [ng.conn() for _ in urls]
            for c, u in zip(conns, urls):
                c.send(build(u))
                time.sleep(0.01)
            time.sleep(0.1)
            for c in conns:
                c.close()
        else:
            h = H2(ng.h2_port)
            streams = [h.open(u) for u in urls]
            h.run(0.2)
            for s in streams:
                if "stream" in kind:
                    h.reset(s)
            if "stream" in kind:
                q = h.open("/up/x")
                h.run(5, until=lambda: q.over)
                is_(q.status, 200, "the connection goes on")
            h.sock.close()
        is_(ng.get("/lock").body, b"had it", f"{kind}: a lock ends in time")
        is_(ng.quiet(), {}, f"{kind}: clients that leave leave nothing")
        is_(ng.get(f"/once?k=a{kind[5]}").body, b"made", f"{kind}: and others go on")

    # the VM is thrown away under those who wait in it
    for n in range(3):
        ws = [in_thread(ng.get, u) for u in ("/sleep?s=0.3", f"/once?k=o{n}&s=0.3", f"/once?k=o{n}", "/fetch?u=/sleep?s=0.3",
                                             f"/lock?s=0.3", "/lock")]
        time.sleep(0.15)
        is_(ng.get("/oom").status, 500, "out of memory")
        got = {w.join().status for w in ws}
        ok(got <= {200, 500} and 500 in got, f"who waits in that VM ends with it: {got}")
        is_(ng.get("/sleep?s=0.01").body, b"slept", "the next one has a new one")
        is_(ng.quiet(), {}, "nothing is left of the old one")

    # a worker that ends while scripts wait
    old = ng.workers()
    ws = [in_thread(ng.get, u) for u in ("/sleep?s=0.3", "/sleep?s=30", "/fetch?u=/sleep?s=30", "/once?k=q&s=30", "/once?k=q")]
    time.sleep(0.15)
    ng.reload()
    is_(ws[0].join().body, b"slept", "a reload: who is done in time ends well")
    ok(tap.wait_until(lambda: not set(old) & set(ng.workers()), 5), "and worker_shutdown_timeout ends the rest")
    for w in ws[1:]:
        w.join()
    is_(ng.get("/once?k=q").body, b"made", "the new worker makes the value")
    ws = [in_thread(ng.get, u) for u in ("/sleep?s=30", "/fetch?u=/sleep?s=30", "/once?k=r&s=30", "/lock?s=30", "/lock")]
    time.sleep(0.15)
    start = time.monotonic()
    ng.send_signal(signal.SIGTERM)
    ng.stopped = True
    ng.process.wait(10)
    ok(time.monotonic() - start < 3 * tap.SLOW, "SIGTERM waits for nobody")
    for w in ws:
        w.join()
