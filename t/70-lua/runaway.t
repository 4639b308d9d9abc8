#!/usr/bin/env python3
"""Scripts that loop, allocate and match for ever end within the budget; others are not affected."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

LOOP = "while true do end"
SCRIPTS = {
    "loop": LOOP,
    "repeat": "repeat until false",
    "for": "for i = 1, math.huge do end",
    "pcall": f"while true do pcall(function() {LOOP} end) end",
    "nested": f"local function f() {LOOP} end while true do pcall(pcall, pcall, f) end",
    "xpcall": f"while true do xpcall(function() {LOOP} end, function() {LOOP} end) end",
    "coroutine": f"while true do coroutine.wrap(function() {LOOP} end)() end",
    "resume": f"while true do coroutine.resume(coroutine.create(function() {LOOP} end)) end",
    "yields": "local c = coroutine.wrap(function() while true do coroutine.yield() end end) while true do c() end",
    "generations": "local function f() coroutine.wrap(f)() end while true do pcall(f) end",
    "recursion": "local function f() return 1 + f() end while true do pcall(f) end",
    "tail": "local function f() return f() end f()",
    "meta": "local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k + 1] end "
            "while true do pcall(function() return t[1] end) end",
    "gsub-loop": f"('x'):gsub('x', function() {LOOP} end)",
    "gsub-pcall": f"while true do pcall(string.gsub, 'x', 'x', function() {LOOP} end) end",
    "sort-loop": f"table.sort({{3, 2, 1}}, function() {LOOP} end)",
    "sort-liar": "while true do local t = {} for i = 1, 1000 do t[i] = i % 7 end "
                 "pcall(table.sort, t, function() return true end) end",
    "pattern": "return ('a'):rep(8000):find('.-.-.-.-.-b')",
    "pattern-match": "return ('a'):rep(30000):match('a*a*a*a*a*b')",
    "pattern-loop": "while true do pcall(string.find, ('a'):rep(3000), '.-.-.-b') end",
    "pattern-gmatch": "for _ in ('a'):rep(100000):gmatch('.-.-b') do end",
    "pattern-gsub": "return (('a'):rep(100000):gsub('a*a*b', ''))",
    "pattern-back": "return ('a'):rep(10000):find('(a*)%1%1b')",
    "pattern-balance": "return ('('):rep(100000):find('%b()')",
    "pattern-frontier": "return ('a '):rep(100000):find('%f[%a].-.-%f[%d]')",
    "plain": "while true do local s = ('a'):rep(100000) s:find(('a'):rep(1000) .. 'b', 1, true) end",
    "memory": "local t = {} for i = 1, 1e9 do t[i] = i end",
    "strings": "local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end",
    "doubling": "local s = 'x' while true do s = s .. s end",
    "doubling-pcall": "while true do pcall(function() local s = 'x' while true do s = s .. s end end) end",
    "rep": "return ('x'):rep(1e9)",
    "rep-loop": "while true do local s = ('x'):rep(1000000) end",
    "upper": "local s = ('x'):rep(1000000) while true do s = s:upper() end",
    "reverse": "local s = ('x'):rep(1000000) while true do s:reverse() end",
    "format": "while true do local s = ('%99.99f'):format(1e300) end",
    "format-width": "return ('%1000000d'):format(1)",
    "concat": "local t = {} for i = 1, 60000 do t[i] = 'xxxxxxxxxxxxxxxx' end while true do table.concat(t) end",
    "concat-many": "return table.concat({}, 'x', 1, 1e9)",
    "tables": "while true do local t = {{}, {}, {}, {}} end",
    "closures": "local f = function() end while true do local g = f f = function() return g end end",
    "insert": "local t = {} while true do table.insert(t, 1, 1) end",
    "insert-far": "while true do pcall(table.insert, {}, -2 ^ 31, 1) pcall(table.remove, { 1 }, -2 ^ 31) end",
    "unpack": "while true do pcall(unpack, {}, 1, 1e7) end",
    "error": "while true do pcall(error, {}) end",
    "tostring": "while true do tostring(setmetatable({}, {__tostring = function() return 'x' end})) end",
    "bytes": "local s = ('x'):rep(1000000) while true do s:byte(1, 5000) end",
    "require": "while true do pcall(require, 'nothing.here') end",
    "handler": f"return xpcall(error, function() {LOOP} end)",
    "index": "local t = setmetatable({}, {__index = function() while true do end end}) return t.x",
    "compare": "local t = setmetatable({}, {__lt = function() while true do end end}) return t < t",
    "iterator": "for _ in function() return 1 end do end",
    # C that reads all of a string, and where no hook runs
    "tonumber": "local s = ('9'):rep(1000000) while true do tonumber(s) end",
    "tonumber-base": "local s = ('z'):rep(900000) while true do tonumber(s, 36) end",
    "arithmetic": "local s = ('9'):rep(1000000) while true do local x = s + 1 end",
    "less": "local a, b = ('x'):rep(900000) .. 'a', ('x'):rep(900000) .. 'b' while true do local c = a < b end",
    "sort-strings": "local p, s, t = ('x'):rep(900000), {}, {} for i = 1, 8 do s[i] = p .. i end "
                    "for i = 1, 16384 do t[i] = s[i * 7 % 8 + 1] end table.sort(t)",
    "date": "while true do pcall(os.date, ('%c'):rep(30000)) end",
    "quote": "local s = ('x'):rep(1000000) while true do pcall(string.format, '%q', s) end",
    "gsub-nothing": "return (('x'):rep(1000):gsub('(y?)x', ('%1'):rep(500000)))",
    "pattern-set": "return ('b'):rep(1000000):match('[^' .. ('c-d'):rep(80) .. ']*x')",
    "json-nested": "local j, t = require 'cjson.safe', {} for i = 1, 60 do t = { t, t } end while true do j.encode(t) end",
    "json-shared": "local j, s, t = require 'cjson.safe', ('x'):rep(1000000), {} for i = 1, 2000 do t[i] = s end "
                   "while true do j.encode(t) end",
    "json-decode": "local j, s = require 'cjson.safe', '[' .. ('[],'):rep(30000) .. '0]' while true do j.decode(s) end",
    "header": "while true do local x = req.headers['host'] .. req.uri end",
    "arguments": "while true do local a = req.args end",
    "keys": "local z = strata.zone 'z' while true do z:keys { match = '*a*b*c*d*e*f', limit = 1000 } end",
    "stats": "local z = strata.zone 'z' while true do z:stats() end",
    "escape": "local s = (' '):rep(300000) while true do strata.escape(s) end",
}



def cpu_ms(pid):
    """What the process has had of the CPU: others do not count."""
    return int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e6


with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        return Reply(b"x", cc="max-age=60")

    ng = t.nginx(origin, http="strata_lua_budget 10ms; strata_lua_memory 8m;", workers=1, environ=FORGETFUL,
                 locations="".join(f"location /{n} {{ strata_cache z; proxy_pass http://%ORIGIN%;\n"
                                   f"strata_key_by_lua_block {{ {code} }} }}\n" for n, code in SCRIPTS.items()))
    ok(len(SCRIPTS) >= 40, f"{len(SCRIPTS)} scripts")
    ng.get("/quiet")
    worker = ng.workers()[0]
    for n, name in enumerate(SCRIPTS):
        start = cpu_ms(worker)
        r = ng.get(f"/{name}?1", timeout=5)
        ms = cpu_ms(worker) - start
        is_(r.status, 200, f"{name}: the request is served")
        is_(ng.count("lua_errors"), n + 1, f"{name}: stopped")
        # the budget, 10 ms, what may pass until it is noticed, and the request itself
        ok(ms < 12 + 10 * tap.SLOW, f"{name}: in time ({ms:.0f} ms)")
    ng.fill("/hot")

    def attack():
        return {ng.get(f"/{name}?2", timeout=30).status for name in SCRIPTS}

    attacks = [in_thread(attack) for _ in range(3)]
    others = set()
    while any(a.is_alive() for a in attacks):
        r = ng.get("/hot", timeout=30)
        others.add((r.status, r.cache, r.body))
    is_(others, {(200, "HIT", b"x")}, "others have their hits meanwhile")
    is_([a.join() for a in attacks], [{200}] * 3, "and so have all of these their answers")
    is_(len(ng.workers()), 1, "one worker all the time")
    before = ng.rss()
    for n in range(20):
        ng.get(f"/strings?x{n}")
        ng.get(f"/doubling?x{n}")
    ok(ng.rss() - before < 24 << 20, "and it has not grown")
