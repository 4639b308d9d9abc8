#!/usr/bin/env python3
"""Values of scripts in a zone, in Redis, with the log of the cluster, in Redis Cluster: the same calls, the same answers."""
import json, pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
from redis_cluster import Cluster
import l2

# runs the function in a file: what it returns, as JSON
RUN = """
    local out = { pcall(require("s" .. req.args.n), strata.zone("z")) }
    for i = 1, 9 do
        if out[i] == nil then out[i] = "nil" end
        if out[i] == math.huge then out[i] = "huge" end
    end
    res.headers["content-type"] = "application/json"
    return require("cjson").encode(out)
"""
TOKEN = "Xk3zU8x2mQ7dT1vB9sYw"
number = 0


def lua(ng, code):
    """What the code returns on that gateway, z being the zone."""
    global number
    number += 1
    ng.file(f"s{number}.lua", f"return function(z)\n{code}\nend")
    r = ng.get(f"/run?n={number}")
    if r.status != 200:
        return [r.status, ng.log()[-300:]]
    out = json.loads(r.body)
    while out and out[-1] == "nil":
        out.pop()
    return out[1:] if out[0] is True else ["error", out[1]]


def gateways(t, n, url=None, log=False, timeout="2s"):
    http = 'strata_lua_path "%DIR%/?.lua"; strata_lua_budget 100ms;'
    tier = ""
    if url:
        http += f"strata_redis r {url} timeout={timeout};" + ("strata_events redis=r stream=ev;" if log else "")
        tier = "strata_l2 r; strata_l2_timeout 1s;"
    out = []
    for _ in range(n):
        ng = t.nginx(start=False, http=http + tier, only="""
            location / { strata_cache z; return 200 "x"; }
            location = /run { strata_content_by_lua_file run.lua; }
            location = /incr { strata_content_by_lua_block { return tostring(strata.zone("z"):incr("hits", 1, 0)) } }
            location = /once { strata_content_by_lua_block {
                local z = strata.zone("z")
                local v, err, meta = z:get_or_set(req.args.k, { ttl = 60, timeout = 20 }, function(k)
                    z:incr("made:" .. k, 1, 0)
                    strata.sleep(tonumber(req.args.s))
                    if req.args.fail then return nil, "no luck" end
                    return "value of " .. k
                end)
                if v == nil then res.status = 503 return err end
                return v } }
            # what is read and written apart is only right under the lock
            location = /locked { strata_content_by_lua_block {
                local z = strata.zone("z")
                local l, err = strata.lock("sum", { ttl = 20, wait = 30 })
                if not l then res.status = 503 return err end
                local n, err = z:get("sum")
                strata.sleep(0.002)
                assert(not err and z:set("sum", (n or 0) + 1), err)
                local last = z:get("fence") or 0
                z:set("fence", l.fence)
                return tostring(l:release()) .. " " .. tostring(l.fence > last) } }
            location = /hold { strata_content_by_lua_block {
                local l, err = strata.lock(req.args.k, { ttl = tonumber(req.args.ttl), wait = tonumber(req.args.w or 0) })
                if not l then res.status = 409 return err end
                if req.args.s then strata.sleep(tonumber(req.args.s)) end
                if req.args.free then return tostring(l:release()) end
                return "held" } }
            location /kv/ { strata_kv z touch=on; strata_api_token %DIR%/tokens; }
            location /hook { strata_cache z; strata_key_by_lua_block {
                local z = strata.zone("z")
                local v, e = z:get("a")
                local n, why = z:incr("h", 1, 0)
                local ok = z:set("from a hook", "h", { ttl = 60 })
                return { req.uri, tostring(v), tostring(n), tostring(why), tostring(ok) }
            } add_header X-Key $strata_key always; proxy_pass http://127.0.0.1:1; }""")
        ng.file("run.lua", RUN)
        ng.file("tokens", TOKEN + "\n")
        ng.start()
        out.append(ng)
    return out


def asking(ng, path):
    return in_thread(lambda: ng.get(path, timeout=60))


def everything(ng, far):
    """Each call, and what it returns."""
    def same(code, *want):
        is_(lua(ng, code), list(want), code.strip().splitlines()[-1].strip())

    tier = "l2" if far else "l1"
    same("return z:get('none')")
    same("return z:set('a', 'text')", True)
    same("return z:get('a')", "text", "nil", {"tier": tier})
    same("return z:set('a', '')", True)
    same("return z:get('a')", "", "nil", {"tier": tier})
    same("return z:set('n', 0.1), (z:get('n'))", True, 0.1)
    same("return z:set('bytes', '\\0\\r\\n\\255'), (z:get('bytes')) == '\\0\\r\\n\\255'", True, True)
    same("return z:set('long', ('x'):rep(400000)), #z:get('long')", True, 400000)
    same("return z:set('j', { a = { 1, 2 } }, { codec = 'json' }), (z:get('j'))", True, {"a": [1, 2]})
    same("return z:add('a', 'b')", False, "exists")
    same("return z:add('b', 'b'), (z:get('b'))", True, "b")
    same("return z:replace('b', 'c'), (z:get('b'))", True, "c")
    same("return z:replace('c', 'c')", False, "not found")
    same("return z:exists('b'), z:exists('c')", True, False)
    same("return z:delete('b', 'c'), (z:get('b'))", 1)
    same("return z:ttl('a'), z:ttl('b')", "huge", "nil", "not found")
    same("z:set('t', 't', { ttl = 50 }) local ttl = z:ttl('t') return ttl > 40 and ttl <= 50", True)
    same("local _, _, m = z:get('t') return m.ttl > 40 and m.ttl <= 50", True)
    same("local ok = z:expire('t', 500) return ok, z:ttl('t') > 400", True, True)
    same("local ok = z:touch('t') return ok, z:ttl('t') <= 50", True, True)
    same("local ok = z:expire('t') return ok, z:ttl('t')", True, "huge")
    same("return z:expire('none', 5)", False, "not found")
    same("return z:touch('none')", False, "not found")
    same("z:set('day', 1, { ttl = 'day' }) return z:ttl('day') <= 25 * 3600", True)
    same("z:set('short', 'x', { ttl = 0.05, grace = 60 }) strata.sleep(0.1) return z:get('short')")
    same("local v, _, m = z:get_stale('short') return v, m.stale", "x", True)
    same("return z:add('short', 'y'), (z:get('short'))", True, "y")
    same("z:set('kept', 'x', { ttl = 0.05, grace = 60 }) strata.sleep(0.1) return z:delete('kept'), (z:get_stale('kept'))", 0)
    same("z:set('gone', 'x', { ttl = 0.05 }) strata.sleep(0.1) return (z:get('gone')), z:exists('gone')", "nil", False)
    same("return z:incr('i')", "nil", "not found")
    same("return z:incr('i', 1, 10)", 11)
    same("return z:incr('i', -0.5), (z:get('i'))", 10.5, 10.5)
    same("return z:incr('a')", "nil", "not a number")
    same("local n = z:incr('end', 1, 0, 50) z:incr('end', 1, 0, 500) return n, z:ttl('end') <= 50", 1, True)
    same("z:set('set', 5) return z:incr('set', 2)", 7)
    same("return z:incr('big', 2 ^ 52, 0) == 2 ^ 52 and z:incr('big') == 2 ^ 52 + 1", True)
    same("return z:set_bulk { x = 1, y = 'two' }", 2)
    same("return z:get_bulk { 'x', 'y', 'zz' }", {"x": 1, "y": "two"})
    same("return z:delete_bulk { 'x', 'y', 'zz' }, next(z:get_bulk { 'x' })", 2)
    same("local t, k = {}, {} for i = 1, 200 do t['b' .. i] = i % 3 == 0 and i or ('v'):rep(i * 50) k[i] = 'b' .. i end "
         "k[201] = 'b0' local n = z:set_bulk(t, { ttl = 60, tags = { 'bulk' } }) local got = z:get_bulk(k) "
         "for i = 1, 200 do n = n + (got[k[i]] == t[k[i]] and 1 or 0) end "
         "return n, got.b0, z:purge { tags = { 'bulk' } }, next(z:get_bulk(k)), z:set_bulk({ b1 = { 1 } }, { codec = 'json' }), "
         "z:get_bulk(k), z:delete_bulk(k)", 400, "nil", True, "nil", 1, {"b1": [1]}, 1)
    same("return (pcall(z.set_bulk, z, { b1 = 1, b2 = {} })), next(z:get_bulk { 'b1', 'b2' })", False)
    same("local t, n = {}, 0 for i = 1, 20 do t['b' .. i] = ('x'):rep(60000) end z:set_bulk(t) "
         "for _, v in pairs(z:get_bulk { 'b1', 'b10', 'b20' }) do n = n + #v end for i = 1, 20 do n = n + z:delete('b' .. i) end "
         "return n", 180020)
    same("local n = 0 local function f() n = n + 1 return 'made' end "
         "return (z:get_or_set('g', { ttl = 60 }, f)), (z:get_or_set('g', { ttl = 60 }, f)), n", "made", "made", 1)
    same("return z:get_or_set('g2', nil, function() return nil, 'no' end)", "nil", "no")
    same("z:set('tag', 't', { tags = { 'red', 'blue' } }) z:set('other', 't', { tags = { 'green' } })"
         "return z:purge { tags = { 'blue' } }, (z:get('tag')), (z:get('other'))", True, "nil", "t")
    same("return z:replace('tag', 'u')", False, "not found")
    same("return z:add('tag', 'v'), (z:get('tag'))", True, "v")
    same("z:set('p:1', 1) z:set('p:2', 2) z:set('q:1', 3) return z:purge { prefix = 'p:' }, (z:get('p:1')), (z:get('q:1'))", True, "nil", 3)
    same("return z:incr('p:1', 1, 100)", 101)
    same("return z:purge { key = 'q:1' }, (z:get('q:1'))", True)
    same("z:set('soft', 's', { grace = 60 }) z:purge { key = 'soft', mode = 'invalidate' } return (z:get('soft')), (z:get_stale('soft'))", "nil", "s")
    same("return z:add('soft', 't'), (z:get('soft'))", True, "t")
    same("z:set('softer', 7) z:purge { key = 'softer', mode = 'invalidate' } "
         "return z:touch('softer'), z:exists('softer'), z:incr('softer', 1, 0)", False, False, 1)
    same("return z:purge { match = '[' }", "nil", "bad pattern")
    is_(lua(ng, "return z:purge { namespace = ('x'):rep(129) }")[0], "error", "a namespace that is too long")
    same("return z:purge { all = true }, (z:get('a')), z:exists('j')", True, "nil", False)
    same("return z:sync(1), type(z:stats().hits), type(z:keys())", True, "number", "table")
    same("local l = strata.lock('l', { ttl = 5 }) local none, why = strata.lock('l') "
         "return l.fence > 0, none, why, l:extend(9), l:release(), (l:release())", True, "nil", "locked", True, True, False)


def shared(a, b, log):
    """Two gateways, one value."""
    is_(lua(a, "return z:set('s', 'one', { ttl = 60, tags = { 's' } })"), [True], "set on a")
    is_(lua(b, "return (z:get('s'))"), ["one"], "is there on b")
    ok(50 < lua(b, "return z:ttl('s')")[0] <= 60, "with its remaining life")
    is_(lua(b, "return z:add('s', 'x')"), [False, "exists"], "add sees it")
    lua(a, "return z:set('s', 'two')")
    ok(wait_until(lambda: lua(b, "return (z:get('s'))") == ["two"], 5), "a new value is b's as well")
    lua(b, "return z:delete('s')")
    ok(wait_until(lambda: lua(a, "return (z:get('s'))") == [], 5), "and its end")

    threads = [in_thread(lambda ng=ng: [ng.get("/incr").status for _ in range(5)]) for ng in (a, b) for _ in range(5)]
    is_({s for th in threads for s in th.join(60)}, {200}, "50 increments on two gateways")
    is_(lua(b, "return (z:get('hits'))"), [50], "none is lost")

    ths = [asking(ng, "/once?k=one&s=0.3") for ng in (a, b) for _ in range(20)]
    is_({(r.status, r.body) for r in (th.join(60) for th in ths)}, {(200, b"value of one")}, "40 on two gateways want a value")
    is_(lua(b, "return (z:get('made:one'))"), [1], "it is made once")
    ths = [asking(ng, "/once?k=bad&s=0.3&fail=1") for ng in (a, b) for _ in range(5)]
    rs = [th.join(60) for th in ths]
    is_({r.status for r in rs}, {503}, f"one that can't be made: {({r.body for r in rs})}")
    ok(lua(b, "return (z:get('made:bad'))")[0] <= 2, "is not tried by each")
    conn = a.conn()
    conn.send(b"GET /once?k=left&s=30 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    ok(wait_until(lambda: lua(b, "return (z:get('made:left'))") == [1], 5), "one node makes it")
    th = asking(b, "/once?k=left&s=0")
    time.sleep(0.1)
    conn.close()
    is_(th.join(60).body, b"value of left", "and if its client leaves, the other")

    ths = [asking(ng, "/locked") for _ in range(12) for ng in (a, b)]
    is_({r.body for r in (th.join(90) for th in ths)}, {b"true true"}, "24 under a lock of the cluster, fences rise")
    is_(lua(b, "return (z:get('sum'))"), [24], "one after the other")
    is_(a.get("/hold?k=h&ttl=30").body, b"held", "held on a")
    is_((b.get("/hold?k=h&ttl=1").status, b.get("/hold?k=h&ttl=1&w=0.1").body), (409, b"timeout"), "not to be had on b")
    is_(lua(b, "local l = strata.lock('h2', { ttl = 5 }) return l:release(), (l:release()), (l:extend(5))"), [True, False, False],
        "released once, by its owner")
    a.get("/hold?k=e&ttl=0.3")
    is_(b.get("/hold?k=e&ttl=1&w=20").body, b"held", "one that ends is free")
    holder = asking(a, "/hold?k=r&ttl=60&s=0.3&free=1")
    time.sleep(0.1)
    start = time.monotonic()
    is_(b.get("/hold?k=r&ttl=1&w=30", timeout=40).body, b"held", "one that is released")
    ok(time.monotonic() - start < 20, "at once")
    is_(holder.join().body, b"true", "by its owner")

    def kv(ng, method, key, body=None, **headers):
        headers = {"Authorization": f"Bearer {TOKEN}", **{k.replace("_", "-"): v for k, v in headers.items()}}
        return ng.request("/kv/" + key, method, headers=headers, body=body)

    is_(kv(a, "PUT", "http?ttl=60", b"v").status, 204, "PUT on a")
    r = kv(b, "GET", "http")
    is_((r.status, r.body), (200, b"v"), "GET on b")
    is_(kv(b, "PUT", "http", b"w", If_None_Match="*").status, 412, "not put twice")
    is_([kv(ng, "POST", "count?incr=2&init=0").status for ng in (a, b)], [200, 200], "counts on both")
    is_(kv(a, "GET", "count").body, b"4", "together")
    is_((kv(b, "DELETE", "http").status, wait_until(lambda: kv(a, "GET", "http").status == 404, 5)), (204, True), "DELETE")

    if log:
        lua(a, "return z:set_bulk({ t1 = 'x', t2 = 'x' }, { tags = { 'tt' } }), z:set('key', 'x')")
        is_(lua(b, "return (z:get('t1')), (z:get('t2')), (z:get('key'))"), ["x"] * 3, "b has them")
        ok(wait_until(lambda: lua(b, "local _, _, m = z:get('t1') return m.tier") == ["l1"], 5), "in L1")
        is_(lua(a, "return z:purge { tags = { 'tt' } }, z:purge { key = 'key' }"), [True, True], "purged on a by tag and key")
        is_(lua(b, "return (z:get('t1')), (z:get('t2')), (z:get('key'))"), [], "gone on b")
    else:
        lua(a, "return z:set('t1', 'x')")
        is_([lua(b, "local _, _, m = z:get('t1') return m.tier") for _ in range(2)], [["l2"]] * 2, "without a log L1 has no copy")


with scenario(seconds=110) as t:
    note("a zone")
    everything(gateways(t, 1)[0], False)

    redis = l2.server(t)
    for log in False, True:
        note("Redis" + (" and the log" if log else ""))
        redis("FLUSHALL")
        a, b = gateways(t, 2, redis.url, log)
        if log:
            for ng in a, b:
                ok(wait_until(lambda: lua(ng, "z:set('up', 'x') return (z:get('up'))") == ["x"], 10), "it has its lease")
        everything(a, True)
        shared(a, b, log)
        r = a.get("/hook")
        ok("|cannot wait here|true" in r.get("X-Key"), f"what can't wait: {r.get('X-Key')}")
        ok(wait_until(lambda: lua(b, "return (z:get('from a hook'))") == ["h"], 5), "but it can set")
    a, = gateways(t, 1, redis.url, timeout="300ms")
    ok(wait_until(lambda: lua(a, "return z:set('up', 'x')") == [True], 10), "Redis is up")
    redis.stop()
    out = lua(a, "return z:incr('down', 1, 0)")
    ok(out[0] == "nil" and out[1].startswith("l2-"), f"Redis hangs: {out}")
    out = lua(a, "local v, err = strata.lock('down') return v, err")
    ok(out[0] == "nil" and out[1].startswith("l2-"), f"no lock that nobody vouches for: {out}")
    is_(lua(a, "return (z:get_or_set('down', nil, function() return 'mine' end))"), ["mine"], "a value is made without")
    out = lua(a, "return z:set('down', 1)")
    ok(out[0] == "nil" and out[1].startswith("l2-"), f"nothing is said to be set: {out}")
    redis.go_on()

    note("Redis Cluster")
    cluster = t.keep(Cluster(replicas=0))
    a, b = gateways(t, 2, cluster.urls + " mode=cluster")
    ok(wait_until(lambda: lua(a, "return z:set('up', 'x')") == [True], 10), "up")
    everything(a, True)
    shared(a, b, False)
