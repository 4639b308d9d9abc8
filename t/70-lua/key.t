#!/usr/bin/env python3
"""strata_key_by_lua: what a key function returns is the key, from blocks and files."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        return Reply(f"{req.target} {req.get('X-T')}".encode(), cc="max-age=60")

    ng = t.nginx(origin, start=False, http='add_header X-Key $strata_key always; strata_lua_path "%DIR%/none/?.lua;%DIR%/mod/?.lua"; strata_lua_budget 20ms;'
                              ' strata_lua_memory 8m; strata_lua_jit off; strata_lua_code_cache on;', locations="""
        location /args {
            strata_cache z; proxy_pass http://%ORIGIN%;
            strata_key_by_lua_block {
                -- a } and a { in a comment, --[[ and } more ]] and "strings }"
                local names, text = {}, [==[ }]] ]==]
                for name in pairs(req.args) do
                    if not name:find("^utm_") then names[#names + 1] = name end
                end
                table.sort(names)
                for i, name in ipairs(names) do
                    local v = req.args[name]
                    names[i] = name .. "=" .. (type(v) == "table" and table.concat(v, "+") or v)
                end
                return { req.host, req.uri, table.concat(names, "&"), req.headers["x-t"], '}' }
            }
        }
        location /file { strata_cache z; proxy_pass http://%ORIGIN%; strata_key_by_lua_file key.lua; }
        location /off { strata_cache z; proxy_pass http://%ORIGIN%; strata_key_by_lua_file key.lua;
            location /off/x { strata_key_by_lua_file off; strata_cache z; proxy_pass http://%ORIGIN%; } }
        location /nil { strata_cache z; proxy_pass http://%ORIGIN%; strata_key_by_lua_block { if req.args.x then return req.uri end } }
        location /holes { strata_cache z; proxy_pass http://%ORIGIN%;
            strata_key_by_lua_block { return { req.args.a, req.args.b, req.args.c } } }
        location /mod { strata_cache z; proxy_pass http://%ORIGIN%;
            strata_key_by_lua_block { return require("part").of(req.uri) } }
        location /cookie { strata_cache z; proxy_pass http://%ORIGIN%; strata_key_identity off;
            strata_key_by_lua_block { return { req.uri, req.cookies.ab == "b" and "b" or "a" } } }
        location /cred { strata_cache z; strata_key $uri $http_authorization $cookie_sid; proxy_pass http://%ORIGIN%;
            strata_key_by_lua_block { return req.uri }
            location /cred/own { strata_cache z; strata_key_by_lua_file off; proxy_pass http://%ORIGIN%; } }
        location /all { strata_cache z; proxy_pass http://%ORIGIN%;
            strata_key_by_lua_block { return { req.method, req.uri, req.request_uri, req.host, req.scheme, req.query,
                                               req.var.arg_v, req.var.nothing, 7, false } } }
        location /type { strata_cache z; proxy_pass http://%ORIGIN%; strata_key_by_lua_block { return { {} } } }
        location /empty { strata_cache z; proxy_pass http://%ORIGIN%; strata_key_by_lua_block { return {} } }
        location /named { strata_cache z; proxy_pass http://%ORIGIN%; strata_key_by_lua_block { return { a = "x" } } }""")
    ng.file("key.lua", "#!/usr/bin/lua\nreturn 'file:' .. req.uri\n")
    ng.file("mod/part.lua", "local M = {}\nfunction M.of(u) return u:upper() end\nreturn M\n")
    ng.start()

    for name, value in ("Authorization", "Basic eDp5"), ("Cookie", "sid=1"):
        is_(ng.fill("/cred/a", headers={name: value}).why, "auth", f"{name} is in strata_key, which is not the key")
        is_(ng.fill("/cred/own", headers={name: value}).cache, "MISS", f"{name}: the key again where the hook is off")

    ng.fill("/args?b=1&a=2&utm_x=1", headers={"X-T": "1"})
    is_(ng.get("/args?utm_y=3&a=2&b=1", headers={"X-T": "1"}).cache, "HIT", "the same key in another order")
    is_(ng.get("/args?a=2&b=1", headers={"X-T": "2"}).cache, "MISS", "a header in the key")
    is_(ng.get("/args?a=2&a=3").cache, "MISS", "a name that comes twice")
    is_(ng.get("/args?a=2%2b3").cache, "HIT", "is a list of its values")
    for n in range(50):
        r = ng.get("/args?utm_z=%d&b=1&a=2" % n, headers={"X-T": "1"})
        if r.cache != "HIT":
            break
    is_(r.cache, "HIT", "again and again")

    ng.fill("/file?1")
    is_(ng.get("/file?2").cache, "HIT", "a function from a file")
    ng.fill("/off/x?1")
    is_(ng.get("/off/x?2").cache, "MISS", "off ends what was inherited")

    r = ng.get("/nil")
    is_((r.cache, r.why), ("PASS", "hook"), "nil passes")
    is_((ng.fill("/nil?x=1").status, ng.get("/nil?x=2").cache), (200, "HIT"), "and a key does not")
    r = ng.get("/nil")
    is_((r.cache, r.why), ("PASS", "hook"), "nil again, from what was kept")

    for q in ("a=1", "b=1", "c=1", "a=1&c=1", "b=1&c=1", "a=&b=1"):
        ng.fill(f"/holes?{q}")
    is_(ng.get("/holes?a=1").body, b"/holes?a=1 None", "parts have their places, also after a nil")
    is_(ng.get("/holes?c=1&x=1").body, b"/holes?c=1 None", "the last one too")
    is_(ng.get("/holes?a=1&c=1").body, b"/holes?a=1&c=1 None", "and both")

    ng.fill("/mod/x")
    is_((ng.get("/mod/x").cache, ng.get("/mod/x").get("X-Key")), ("HIT", "/MOD/X"), "a module of strata_lua_path")

    ng.fill("/cookie", headers={"Cookie": "s=1; ab=a"})
    is_(ng.get("/cookie", headers={"Cookie": "s=2; ab=a"}).cache, "HIT", "other cookies do not count")
    is_(ng.get("/cookie", headers={"Cookie": "s=1; ab=b"}).cache, "MISS", "the bucket does")

    ng.fill("/all/x%20y?v=1", headers={"Host": "Example.com"})
    is_(ng.get("/all/x%20y?v=1", headers={"Host": "example.COM"}).get("X-Key"),
        "GET|/all/x y|/all/x%20y?v=1|example.com|http|v=1|1||7|", "what a request has")

    for where in ("type", "empty", "named"):
        ng.fill(f"/{where}?1")
        is_((ng.get(f"/{where}?2").cache, ng.get(f"/{where}?1").cache), ("MISS", "HIT"),
            f"{where}: no key, so the one of the directives")
    ok(ng.count("lua_errors") >= 9, "counted")
