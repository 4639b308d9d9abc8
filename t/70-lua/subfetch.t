#!/usr/bin/env python3
"""strata.fetch: a location of this nginx, asked by a script: status, fields, body, errors, bounds."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    seen = []

    @origin.route("/*")
    def _(req):
        seen.append(req)
        if "slow" in req.target:
            time.sleep(1)
        if "cut" in req.target:
            return Reply(b"x" * 100, cc="no-store", cut=10)
        size = int(req.target.partition("size=")[2] or 0)
        return Reply(b"y" * size if size else f"{req.method} {req.target} {req.get('X-A')} {req.body.decode()}".encode(),
                     status=503 if "busy" in req.target else 200, cc="max-age=60" if "cache" in req.target else "no-store",
                     headers=[("X-Two", "a"), ("X-Two", "b")])

    ng = t.nginx(origin, only="""
        location /up/ { proxy_pass http://%ORIGIN%; proxy_http_version 1.1; }
        location /cache/ { strata_cache z; proxy_pass http://%ORIGIN%; }
        location /in/ { internal; return 200 "inside"; }
        location /file/ { alias %DIR%/html/; }
        location /dead/ { proxy_pass http://127.0.0.1:%BACK%; }
        location /never { strata_content_by_lua_block { strata.sleep(60) } }
        location /self { strata_content_by_lua_block {
            local r, err = strata.fetch("/self")
            return r and r.body or err } }
        location = /run { strata_content_by_lua_block {
            local headers
            if req.args.a then headers = { ["X-A"] = req.args.a } end
            local r, err = strata.fetch(req.args.uri, { method = req.args.method, body = req.args.body, headers = headers,
                timeout = tonumber(req.args.t), max_size = tonumber(req.args.max) })
            if not r then return "nil " .. err end
            local h = {}
            for name in (req.args.h or ""):gmatch("[^,]+") do h[#h + 1] = tostring(r.headers[name]) end
            return { r.status, " ", #r.body > 200 and #r.body or r.body, " ", table.concat(h, "|") } } }
        location = /many { strata_content_by_lua_block {
            local out = {}
            for i = 1, 20 do out[i] = strata.fetch("/up/" .. i).status end
            return table.concat(out, " ") } }
        location = /bad { strata_content_by_lua_block {
            local out = {}
            for i, args in ipairs { { "up" }, { "/up", { method = "TRACE" } }, { "/up", { headers = { host = "x" } } },
                { "/up", { headers = { ["x-a"] = "b\\r\\nc: d" } } }, { "/up", { body = {} } }, { "/up", { max_size = 1e9 } },
                { "/up", { timeout = -1 } }, { "/up", { verb = "GET" } } } do
                local ok, err = pcall(strata.fetch, unpack(args))
                out[i] = ok and "accepted" or err
            end
            return table.concat(out, "; ") } }""", start=False,
                 environ=FORGETFUL)
    ng.file("html/f.txt", "z" * 70000)
    ng.start()

    def run(uri, **args):
        from urllib.parse import urlencode
        return ng.get("/run?" + urlencode({"uri": uri, **args})).body.decode()

    is_(run("/up/a?b=1", h="x-two,x-none,content-type"), "200 GET /up/a?b=1 None  a, b|nil|text/plain", "an upstream")
    is_(run("/up/a%20b"), "200 GET /up/a%20b None  ", "a path that needs escaping")
    is_(run("/up/p", method="POST", body="hello", a="v"), "200 POST /up/p v hello ", "method, body and field")
    is_(run("/up/p", method="POST", body=""), "200 POST /up/p None  ", "an empty body")
    is_(seen[-1].get("Host"), f"127.0.0.1:{origin.port}", "as the location says")
    is_(run("/up/h", method="HEAD"), "200  ", "HEAD has no body")
    is_(run("/up/busy"), "503 GET /up/busy None  ", "an error of the origin is an answer")
    is_(run("/in/"), "200 inside ", "an internal location")
    is_(run("/file/f.txt"), "200 70000 ", "a file")
    ok(run("/none").startswith("404 "), "a page of nginx")
    ok(run("/dead/").startswith("502 "), "an upstream that is not there")
    is_(run("/up/cut"), "nil cut off", "an answer that is cut off is none")
    is_(run("/up/?size=500000"), "200 500000 ", "half a megabyte")
    is_(run("/up/?size=500000", max=499999), "nil too large", "one byte more than allowed")
    is_(run("/up/?size=3000000"), "nil too large", "more than a string has")
    start = time.monotonic()
    is_(run("/up/slow", t="0.1"), "nil timeout", "a timeout")
    ok(time.monotonic() - start < 0.1 + 0.3 * tap.SLOW, "in time")
    is_(run("/../x"), "nil bad uri", "a path that leads out")

    n = len(seen)
    is_({run("/cache/c") for _ in range(5)}, {"200 GET /cache/c None  "}, "through a cache")
    is_(len(seen), n + 1, "which asks once")
    is_(ng.get("/cache/c").cache, "HIT", "and is the clients' too")
    rs = [th.join() for th in [in_thread(run, "/cache/slow") for _ in range(20)]]
    is_(set(rs), {"200 GET /cache/slow None  "}, "20 scripts")
    is_(sum("cache/slow" in s.target for s in seen), 1, "and one fetch")
    is_(ng.get("/many").body, b" ".join([b"200"] * 20), "one after the other")
    is_(ng.get("/self").body, b"too deep", "a script that asks itself")
    is_(ng.get("/bad").body.count(b"accepted"), 0, "misuse")
    ok(b"header \"host\" can't be sent" in ng.get("/bad").body, "says what")

    # the client leaves while the script waits
    for _ in range(20):
        c = ng.conn()
        c.send(b"GET /run?uri=/up/slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(0.02)
        c.close()
    time.sleep(0.2)
    is_(ng.get("/run?uri=/up/x").status, 200, "clients that leave")
    for _ in range(3):
        run("/never", t="0.05")
    before = ng.rss()
    for n in range(300):
        run(f"/up/{n}?size=100000")
    ok(ng.rss() - before < 16 << 20, "memory comes back")
