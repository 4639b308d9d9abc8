#!/usr/bin/env python3
"""What scripts try in order to get out of the sandbox: nothing of it is there."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

# each returns true if it got out, or changed what others see
GLOBALS = """ffi jit debug io package load loadstring loadfile dofile setfenv getfenv newproxy module collectgarbage
    gcinfo _G print arg ngx""".split()
PROBES = {name: f"return {name} ~= nil" for name in GLOBALS} | {
    "require-ffi": "return pcall(require, 'ffi')",
    "require-jit": "return pcall(require, 'jit')",
    "require-debug": "return pcall(require, 'debug')",
    "require-io": "return pcall(require, 'io')",
    "require-package": "return pcall(require, 'package')",
    "require-table-clear": "return pcall(require, 'table.clear')",
    "require-bit": "return pcall(require, 'jit.util')",
    "require-native": "return pcall(require, 'strata.native')",
    "require-sandbox": "return pcall(require, 'strata.sandbox')",
    "require-json": "return pcall(require, 'strata.json')",
    "require-path": "return pcall(require, '../../etc/passwd')",
    "require-absolute": "return pcall(require, '/etc/passwd')",
    "require-nul": "return pcall(require, 'a\\0b')",
    "require-so": "return pcall(require, 'cjson.core')",
    "require-bytecode": "return pcall(require, 'compiled')",
    "os-execute": "return os.execute ~= nil", "os-exit": "return os.exit ~= nil", "os-remove": "return os.remove ~= nil",
    "os-rename": "return os.rename ~= nil", "os-getenv": "return os.getenv ~= nil", "os-tmpname": "return os.tmpname ~= nil",
    "os-setlocale": "return os.setlocale ~= nil",
    "string-dump": "return string.dump ~= nil", "string-dump-method": "return ('x').dump ~= nil",
    "math-randomseed": "return math.randomseed ~= nil",
    "string-write": "return pcall(function() string.find = nil end)",
    "string-rawset": "return pcall(rawset, string, 'find', nil)",
    "table-rawset": "return pcall(rawset, table, 'concat', print)",
    "strata-write": "return pcall(function() strata.zone = nil end)",
    "strata-rawset": "return pcall(rawset, strata, 'zone', nil)",
    "zone-rawset": "return pcall(rawset, strata.zone('z'), 'get', nil)",
    "req-write": "return pcall(function() req.uri = '/x' end)",
    "req-headers-write": "return pcall(function() req.headers.host = 'x' end)",
    "req-rawset": "return pcall(rawset, req, 'uri', 'x')",
    "string-metatable": "return getmetatable('') ~= nil and getmetatable('') ~= false",
    "string-metatable-index": "return pcall(function() getmetatable('').__index = nil end)",
    "metatable-req": "return type(getmetatable(req)) == 'table'",
    "metatable-strata": "return type(getmetatable(strata)) == 'table'",
    "metatable-zone": "return type(getmetatable(strata.zone('z'))) == 'table'",
    "metatable-string-lib": "return type(getmetatable(string)) == 'table'",
    "setmetatable-string": "return pcall(setmetatable, '', {})",
    "setmetatable-strata": "return pcall(setmetatable, strata, {})",
    "setmetatable-function": "return pcall(setmetatable, pcall, {})",
    "module-global": "return require('globals').seen()",
    "module-leaks": "return other_global ~= nil",
    "module-write": "return pcall(function() require('shared').value = 2 end)",
    "module-rawset": "return pcall(rawset, require('shared'), 'value', 2)",
    "cjson-new": "return require('cjson').new ~= nil",
    "cjson-depth": "return require('cjson').encode_max_depth ~= nil",
    "cjson-write": "return pcall(function() require('cjson').encode = nil end)",
    "cjson-deep": "local s = ('['):rep(200) .. (']'):rep(200) return require('cjson.safe').decode(s) ~= nil",
    "cjson-cycle": "local t = {} t.t = t return require('cjson.safe').encode(t) ~= nil",
    "env-of-caller": "return type(getmetatable((function() return marked end))) == 'table'",
    "index-chain": "local t = setmetatable({}, { __index = string }) t.find = 1 return string.find == 1",
    "gc-metamethod": "setmetatable({}, { __gc = function() escaped = true end }) for i = 1, 1e4 do local t = {} end return escaped",
    "coroutine-status": "local co = coroutine.create(function() return marked end) coroutine.resume(co) return marked ~= nil",
    "coroutine-wrap-c": "return pcall(coroutine.wrap(strata.sleep), 0.001) and select(2, coroutine.wrap(strata.sleep)(0.001)) == nil",
    "coroutine-main": "local co = coroutine.running() return co ~= nil and pcall(coroutine.resume, co) and select(2, coroutine.resume(co)) == nil",
    "coroutine-other": "local co = coroutine.create(function() return coroutine.yield(1) end) coroutine.resume(co) "
                       "return coroutine.close ~= nil",
    "yield-in-sort": "return pcall(table.sort, { 2, 1, 3 }, function() strata.sleep(0.001) error('x') end)",
    "tostring-address": "return pcall(rawset, tostring, 'x', 1)",
    "xpcall-debug": "return select(2, xpcall(error, function() return debug end)) ~= nil",
    "error-object": "local ok, e = pcall(strata.zone, {}) return type(e) == 'table' and getmetatable(e) ~= nil",
    "unpack-stack": "return pcall(unpack, {}, 1, 1e8)",
    "format-n": "return pcall(string.format, '%n', 1)",
    "format-p": "return pcall(string.format, '%999999d', 1)",
    "rep-overflow": "return pcall(string.rep, 'xx', 2 ^ 62)",
    "sub-overflow": "return #(('x'):sub(-2 ^ 62, 2 ^ 62)) > 1",
    "char-range": "return pcall(string.char, 256)",
    "find-init": "return ('x'):find('x', 2 ^ 62) ~= nil",
    "concat-range": "return pcall(table.concat, { 1 }, '', -2 ^ 40, 2 ^ 40)",
    "insert-range": "return pcall(table.insert, {}, 2 ^ 60, 1)",
    "insert-negative": "return pcall(table.insert, {}, -2 ^ 31, 1)",
    "insert-nan": "return pcall(table.insert, {}, 0 / 0, 1)",
    "remove-negative": "return pcall(table.remove, { 1 }, -2 ^ 31)",
    "remove-range": "return pcall(table.remove, { 1 }, 2 ^ 60)",
    "fetch-in-content": "return pcall(function() fetch.bypass = true end)",
    "res-ttl-in-content": "return pcall(function() res.ttl = 1 end)",
    "res-status": "return pcall(function() res.status = 100 end)",
    "res-header-crlf": "return pcall(function() res.headers['x-a'] = 'a\\r\\nb: c' end)",
    "res-header-name": "return pcall(function() res.headers['x a'] = 'a' end)",
    "res-header-length": "return pcall(function() res.headers['content-length'] = '1' end)",
    "tag-nul": "return pcall(function() strata.zone('z'):set('a', 1, { tags = { 'a\\0b' } }) end)",
    "key-of-response": "strata.zone('z'):set('r' .. req.uri, 'x') return false",
    "native-result": "return strata.native ~= nil or native ~= nil",
    "pairs-strata": "return (pcall(pairs, strata))",
    "next-strata": "return (pcall(next, strata))",
    "rawget-strata": "return pcall(rawget, strata, 'zone')",
    "len-userdata": "return (pcall(function() return #strata end))",
    "call-userdata": "return (pcall(function() return strata() end))",
    # extensions of this LuaJIT
    "require-buffer": "return pcall(require, 'string.buffer')", "require-new": "return pcall(require, 'table.new')",
    "require-exdata": "return pcall(require, 'thread.exdata')", "require-prng": "return pcall(require, 'jit.prngstate')",
    "require-dotdot": "return pcall(require, '..escape')", "require-empty": "return pcall(require, '')",
    "require-table": "return pcall(require, {})", "jit-opt": "return pcall(function() jit.on() end)",
    "string-buffer": "return string.buffer ~= nil", "env": "return _ENV ~= nil", "utf8": "return utf8 ~= nil",
    # metatables of what is not a table
    **{f"metatable-{name}": f"return getmetatable({value}) and true" for name, value in (
        ("nil", "nil"), ("number", "1"), ("boolean", "true"), ("function", "pcall"),
        ("thread", "coroutine.create(pcall)"), ("null", "require('cjson').null"))},
    **{f"setmetatable-{name}": f"return pcall(setmetatable, {value}, {{}})" for name, value in (
        ("nil", "nil"), ("number", "1"), ("thread", "coroutine.create(pcall)"), ("null", "require('cjson').null"), ("req", "req"),
        ("res", "res"), ("zone", "strata.zone('z')"), ("headers", "req.headers"), ("module", "require('shared')"))},
    # functions of tables have nothing to take hold of
    **{f"table-{name}": f"return pcall(table.{name}, {args})" for name, args in (
        ("insert", "strata, 1"), ("remove", "string"), ("sort", "req"), ("concat", "strata"), ("maxn", "string"))},
    "unpack-req": "return pcall(unpack, req)", "ipairs-req": "for _ in ipairs(req) do return true end",
    "gsub-index": "return ('x'):gsub('x', setmetatable({}, { __index = strata })) ~= 'x'",
    "index-newindex": "local t = setmetatable({}, { __newindex = string }) t.find = 1 return string.find == 1",
    "inherit-req": "local t = setmetatable({}, { __newindex = req }) t.uri = 1 return true",
    # errors carry nothing out
    "error-tostring": "local ok, e = pcall(error, setmetatable({}, { __tostring = function() marked = 1 return debug end })) return debug ~= nil",
    "error-level": "local ok, e = pcall(error, 'x', 2 ^ 31) return e ~= 'x'",
    "error-native": "local ok, e = pcall(strata.zone('z').get, nil, {}) return type(e) ~= 'string'",
    "xpcall-args": "return select('#', xpcall(error, function(...) return ... end, nil, 5)) > 2",
    "xpcall-level": "local seen xpcall(error, function() seen = getfenv and getfenv(2) end) return seen",
    # what a script has of itself
    "running": "return coroutine.running()", "running-resume": "return (pcall(coroutine.resume, coroutine.running()))",
    "running-inside": "return coroutine.wrap(function() return coroutine.resume(coroutine.running()) end)()",
    "wrap-dead": "local f = coroutine.wrap(function() end) f() return (pcall(f))",
    "nested-coroutines": "local function f(n) return n > 0 and coroutine.wrap(f)(n - 1) or true end return f(40)",
    "varargs": "return select('#', (function(...) return ... end)()) > 0",
    # numbers that are none
    "nan-size": "return strata.fetch('/', { max_size = 0 / 0 })", "nan-wait": "return strata.sleep(0 / 0)",
    "inf-wait": "return strata.sleep(1 / 0)", "nan-incr": "return strata.zone('z'):incr('nan', 0 / 0, 0)",
    "inf-incr": "return strata.zone('z'):incr('inf', 1 / 0, 0)", "nan-limit": "return strata.zone('z'):keys { limit = 0 / 0 }",
    "nan-lock": "return strata.lock('a', { ttl = 0 / 0 })", "huge-lock": "return strata.lock('a', { ttl = 1e300 })",
    "status-nan": "res.status = 0 / 0 return true", "status-string": "res.status = 'x' return true",
    "format-star": "return pcall(string.format, '%*d', 5, 1)", "format-long": "return pcall(string.format, '%.9999f', 1)",
    "date-long": "return pcall(os.date, ('%c'):rep(1000))", "date-inf": "return type(os.date('*t', 1e300)) == 'string'",
}

with scenario() as t:
    origin = t.origin()
    origin.reply("/*", Reply(b"x", cc="max-age=60"))
    ng = t.nginx(origin, workers=1, http='strata_lua_path "%DIR%/?.lua";', locations="""
        location = /run { strata_content_by_lua_block {
            local probe = require(req.args.m)
            local ok, value = pcall(probe)
            return ok and tostring(value) or "error" } }
        location = /globals { strata_content_by_lua_block { marked = (marked or 0) + 1 return tostring(marked) } }
        location = /plain { strata_content_by_lua_block {
            return { string.find("abc", "b"), " ", ("x"):rep(3), " ", table.concat({ 1, 2 }, ","), " ", tostring(marked), " ",
                     require("shared").value, " ", tostring(type(strata.zone)) } } }
        location = /store { strata_cache z; proxy_pass http://%ORIGIN%; strata_store_by_lua_block { fetch.namespace = "x" } }
        location = /before { strata_cache z; proxy_pass http://%ORIGIN%; strata_fetch_by_lua_block { res.ttl = 5 } }
        location = /key { strata_cache z; proxy_pass http://%ORIGIN%; strata_key_by_lua_block { return res.status } }
        """, start=False)
    ng.file("globals.lua", "local M = {} seen_by_module = 1 function M.seen() return marked ~= nil end return M")
    ng.file("shared.lua", "return { value = 1 }")
    ng.file("out.lua", "return function() return strata ~= nil end")
    ng.file("s0.lua", "other_global = 1 return function() end")
    # text that begins as bytecode does
    pathlib.Path(ng.dir, "compiled.lua").write_bytes(b"\x1bLJ\x02\x0a\x00" + bytes(100))
    for n, code in enumerate(PROBES.values(), 1):
        ng.file(f"s{n}.lua", f"return function()\n{code}\nend")
    ng.start()
    ng.get("/run?m=s0")
    plain = ng.get("/plain").body
    is_(plain, b"2 xxx 1,2 nil 1 function", "what scripts have")
    ok(len(PROBES) >= 60, f"{len(PROBES)} probes")
    for n, name in enumerate(PROBES, 1):
        for again in range(2):
            r = ng.get(f"/run?m=s{n}")
            # 500: the probe itself has a mistake
            ok(r.status == 200 and r.body in (b"false", b"nil", b"error"), f"{name}: {r.status} {r.body[:60]}")
    is_(ng.get("/run?m=out").body, b"true", "one that does get out is seen")
    is_(ng.get("/plain").body, plain, "nobody else sees any of it")
    is_([ng.get("/globals").body for _ in range(3)], [b"1"] * 3, "a global is gone with the call")
    for where in ("store", "before", "key"):
        n = ng.count("lua_errors")
        r = ng.get(f"/{where}")
        is_((r.status, ng.count("lua_errors")), (200, n + 1), f"{where}: what belongs to another hook is an error")
    is_(ng.get("/").cache, "MISS", "and nginx goes on")
