#!/usr/bin/env python3
"""strata.zone: every function, what it returns, what it refuses; counters lose nothing."""
import json, pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

# the text of a script that fails names its line: "misuse" runs one call and gives the error
LUA = """
    strata_lua_path "%DIR%/?.lua";
    strata_lua_budget 100ms;
"""

with scenario() as t:
    ng = t.nginx(http=LUA, zone=["z 4m", "other 4m"], only="""
        location = /run { strata_content_by_lua_file run.lua; client_body_buffer_size 64k; }
        location = /incr { strata_content_by_lua_block { return tostring(strata.zone("z"):incr("hits", 1, 0)) } }
        """, start=False)
    # runs the body of the request, which is a module's text
    ng.file("run.lua", """
        local script = require("s" .. req.args.n)
        local json = require "cjson.safe"
        local out = { pcall(script, strata.zone("z")) }
        for i = 1, 8 do
            if type(out[i]) == "userdata" then out[i] = "null" end
            if out[i] == nil then out[i] = json.encode and "nil" end
            if out[i] == math.huge then out[i] = "huge" end
        end
        res.headers["content-type"] = "application/json"
        return json.encode(out)
        """)
    ng.start()
    n = 0

    def lua(code):
        """What the code returns, z being the zone."""
        global n
        n += 1
        ng.file(f"s{n}.lua", f"return function(z)\n{code}\nend")
        r = ng.get(f"/run?n={n}")
        if r.status != 200:
            return [r.status]
        out = json.loads(r.body)
        while out and out[-1] == "nil":
            out.pop()
        return out[1:] if out[0] is True else ["error", out[1]]

    def same(code, *want):
        is_(lua(code), list(want), code.strip().splitlines()[-1].strip())

    def misuse(code, text):
        out = lua(code)
        # at the line of the script, not in the library
        ok(out[0] == "error" and out[1].endswith(text) and f"s{n}.lua:2:" in out[1], f"{code}: {text}")
        if out[0] != "error" or not out[1].endswith(text):
            note(str(out))

    same("return z:get('none')")
    same("return z:set('a', 'text')", True)
    same("return z:get('a')", "text", "nil", {"tier": "l1"})
    same("return z:set('a', 0), (z:get('a'))", True, 0)
    same("return z:exists('a'), z:exists('b')", True, False)
    same("return z:set('a', ''), (z:get('a'))", True, "")
    same("return z:set(7, 8), (z:get('7'))", True, 8)
    same("z:set('b', ('x'):rep(100000)) return #z:get('b')", 100000)
    same("z:set('nul', 'a\\0b') return #z:get('nul')", 3)
    same("return z:add('a', 1)", False, "exists")
    same("return z:add('new', 1)", True)
    same("return z:replace('new', 2), (z:get('new'))", True, 2)
    same("return z:replace('nothing', 2)", False, "not found")
    same("return z:delete('a', 'b', 'nothing', 'new')", 3)
    same("return z:delete()", 0)
    same("return z:set('t', 1, { ttl = 0.05 }), z:ttl('t') > 0 and z:ttl('t') <= 0.05", True, True)
    same("strata.sleep(0.06) return z:get('t')")
    same("return z:add('t', 2, { ttl = 10 })", True)
    same("return z:ttl('nothing')", "nil", "not found")
    same("z:set('e', 1) return z:ttl('e')", "huge")
    same("return z:expire('e', 5), z:ttl('e') <= 5", True, True)
    same("return z:expire('nothing', 5)", False, "not found")
    same("return z:expire('e'), z:ttl('e')", True, "huge")
    same("z:set('s', 1, { ttl = 5 }) z:expire('s', 1) return z:touch('s'), z:ttl('s') > 4", True, True)
    same("return z:touch('nothing')", False, "not found")
    same("z:set('g', 1, { ttl = 0.01, grace = 60 }) strata.sleep(0.03) local v, e, m = z:get_stale('g') return v, m.stale, m.ttl < 0, (z:get('g'))",
         1, True, True)

    same("return z:incr('n')", "nil", "not found")
    same("return z:incr('n', 5, 0)", 5)
    same("return z:incr('n'), z:incr('n', -7.5), (z:get('n'))", 6, -1.5, -1.5)
    same("z:set('s', 'five') return z:incr('s')", "nil", "not a number")
    same("z:incr('ttl', 1, 0, 0.5) strata.sleep(0.1) z:incr('ttl', 1, 0, 5) strata.sleep(0.45) return z:incr('ttl', 1, 0)", 1)
    same("z:incr('day', 1, 0, 'day') local d = os.date('*t') local left = 86400 - d.hour * 3600 - d.min * 60 - d.sec "
         "return math.abs(z:ttl('day') - left) < 2", True)
    for word, most in (("minute", 60), ("hour", 3600), ("week", 7 * 86400 + 3600), ("month", 31 * 86400 + 3600)):
        same(f"z:set('w', 1, {{ ttl = '{word}' }}) return z:ttl('w') > 0 and z:ttl('w') <= {most}", True)
    same("local a, b = math.huge, 0 for i = 1, 200 do z:set('j', 1, { ttl = 100, jitter = 50 }) "
         "a = math.min(a, z:ttl('j')) b = math.max(b, z:ttl('j')) end return a > 49 and a < 70 and b > 130 and b < 151", True)

    same("return z:set('js', { a = { 1, 2 }, b = true }, { codec = 'json' })", True)
    same("return (z:get('js'))", {"a": [1, 2], "b": True})
    same("z:set('js', false, { codec = 'json' }) return (z:get('js'))", False)

    same("return z:set_bulk({ x1 = 1, x2 = 'two', x3 = 3 }, { ttl = 10 })", 3)
    same("return z:get_bulk({ 'x1', 'x2', 'x9' })", {"x1": 1, "x2": "two"})
    same("return z:delete_bulk({ 'x1', 'x9', 'x2' })", 2)
    same("local l = z:keys{ match = 'x*' } return l", ["x3"])
    same("""for i = 1, 300 do z:set('k' .. i, i) end
        local n, cursor, seen = 0, nil, {}
        repeat
            local list, c = z:keys{ match = 'k*', limit = 70, cursor = cursor }
            for _, k in ipairs(list) do n = n + 1 seen[k] = true end
            cursor = c
        until not cursor
        local d = 0
        for _ in pairs(seen) do d = d + 1 end
        return n, d""", 300, 300)
    same("return z:sync(1)", True)
    same("local s = z:stats() return s.entries > 300, s.bytes_used > 0, s.bytes_total > s.bytes_used, type(s.hits)",
         True, True, True, "number")

    same("z:set('p1', 1, { tags = { 'red', 'big' } }) z:set('p2', 2, { tags = { 'big' } }) return z:purge{ tags = { 'red' } }", True)
    same("return z:exists('p1'), z:exists('p2')", False, True)
    same("z:purge{ key = 'p2' } return z:exists('p2')", False)
    same("z:set('p2', 3) z:purge{ match = 'p?', mode = 'invalidate' } return (z:get('p2')), (z:get_stale('p2'))", "nil", 3)
    same("z:purge{ prefix = 'k1' } return z:exists('k1'), z:exists('k150'), z:exists('k2')", False, False, True)
    same("z:purge{ keys = { 'k2', 'k3' } } return z:exists('k2'), z:exists('k3'), z:exists('k4')", False, False, True)
    same("z:purge{ all = true } return z:exists('k4'), #z:keys()", False, 0)
    same("strata.zone('other'):set('a', 'there') z:set('a', 'here') return (z:get('a')), (strata.zone('other'):get('a'))", "here", "there")
    same("return z:set('big', ('x'):rep(1000000))", "nil", "no room")

    for code, text in (
            ("local r = z:get()", "key must be a string of 1 to 1024 bytes"),
            ("local r = z:get('')", "key must be a string of 1 to 1024 bytes"),
            ("local r = z:get(('x'):rep(1025))", "key must be a string of 1 to 1024 bytes"),
            ("local r = z:set({}, 1)", "key must be a string of 1 to 1024 bytes"),
            ("local r = z:set('a')", "value must be a string or a number, or have codec = \"json\""),
            ("local r = z:set('a', {})", "value must be a string or a number, or have codec = \"json\""),
            ("local r = z:set('a', 1, { codec = 'xml' })", 'codec must be "raw" or "json"'),
            ("local r = z:set('a', 1, { tll = 5 })", "no such option: tll"),
            ("local r = z:add('a', 1, 5)", "options must be a table"),
            ("local r = z:replace('a', 1, { ttl = 0 })", 'or "minute", "hour", "day", "week", "month"'),
            ("local r = z:set('a', 1, { ttl = 'year' })", 'or "minute", "hour", "day", "week", "month"'),
            ("local r = z:set('a', 1, { ttl = 0/0 })", 'or "minute", "hour", "day", "week", "month"'),
            ("local r = z:set('a', 1, { grace = -1 })", "grace must be seconds, from 0 to 2147483647"),
            ("local r = z:set('a', 1, { tags = 'a' })", "tags must be a list of strings"),
            ("local r = z:set('a', 1, { tags = { 'a b' } })", "tags have no spaces, commas and control characters"),
            ("local r = z:set('a', 1, { tags = { 'a\\nb' } })", "tags have no spaces, commas and control characters"),
            ("local r = z:incr('a', 'x')", "the increment must be a number"),
            ("local r = z:incr('a', 1, 'x')", "the initial value must be a number"),
            ("local r = z:expire('a', -1)", 'or "minute", "hour", "day", "week", "month"'),
            ("local r = z:get_bulk('a')", "keys must be a list of strings"),
            ("local r = z:get_bulk({ 'a', {} })", "keys must be strings of 1 to 1024 bytes"),
            ("local r = z:set_bulk('a')", "values must be a table"),
            ("local r = z:set_bulk({ a = {} })", "value must be a string or a number, or have codec = \"json\""),
            ("local r = z:delete({})", "keys must be strings of 1 to 1024 bytes"),
            ("local r = z:keys{ limit = 0 }", "limit must be a number from 1 to 1000"),
            ("local r = z:keys{ cursor = 'x' }", "cursor must be one that keys() returned"),
            ("local r = z:keys{ match = '' }", "match must be a pattern of 1 to 256 bytes"),
            ("local r = z:purge{}", "purge needs key, keys, tags, prefix, match, namespace or all"),
            ("local r = z:purge{ tags = {}}", "purge needs key, keys, tags, prefix, match, namespace or all"),
            ("local r = z:purge{ tags = { 'a' }, prefix = 'b' }", "purge of tags and prefix at once"),
            ("local r = z:purge{ all = true, mode = 'gone' }", 'mode must be "delete" or "invalidate"'),
            ("local r = strata.zone('nothing')", 'no strata_zone "nothing"'),
            ("local r = strata.zone(1)", "name of a zone must be a string"),
            ("local r = strata.sleep(-1)", "seconds must be seconds, from 0 to 2147483647"),
            ("z.get = 1", "attempt to change what is read-only")):
        misuse(code, text)

    # two workers, 50 at once, ten times: nothing is lost
    codes = [th.join() for th in [in_thread(lambda: [ng.get("/incr").status for _ in range(10)]) for _ in range(50)]]
    is_(sum(codes, []), [200] * 500, "50 clients, 10 incr each")
    same("return (z:get('hits'))", 500)
    ng.reload()
    same("return (z:get('hits'))", 500)
