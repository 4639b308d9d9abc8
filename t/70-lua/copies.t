#!/usr/bin/env python3
"""What L1 has of values and locks in Redis ends when they do, whatever becomes of them there and of the call that changes them."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
import l2

with scenario(seconds=60) as t:
    redis = l2.server(t)
    a, b = (t.nginx(zone="z 32m", http=f"strata_redis r {redis.url} timeout=1s; strata_events redis=r stream=ev lease=20s;"
                         "strata_l2 r; strata_l2_timeout 1s; strata_l2_breaker failures=1000; strata_lua_budget 1s;", only="""
        location /page { strata_cache z; strata_l2 off; add_header X-Cache $strata_status always; proxy_pass http://127.0.0.1:$server_port/made; }
        location /made { add_header Cache-Control max-age=3600; return 200 "x"; }
        location = /many { strata_content_by_lua_block {
            local n = 0
            for i = 1, 1500 do n = n + (strata.zone("z"):set("many:" .. i, "x", { ttl = 500 }) and 1 or 0) end
            return tostring(n) } }
        location / { strata_cache z; return 200 "x"; }
        location = /get { strata_content_by_lua_block {
            local v, err, m = strata.zone("z"):get(req.args.k)
            return tostring(v) .. " " .. tostring(err or m and m.tier) } }
        location = /set { strata_content_by_lua_block { return tostring(strata.zone("z"):set(req.args.k, req.args.v, { ttl = 500 })) } }
        location = /lock { strata_content_by_lua_block {
            local l, err = strata.lock(req.args.k, { ttl = 500 })
            return l and tostring(l:release()) or tostring(err) } }
        location = /delete { strata_content_by_lua_block { return tostring(strata.zone("z"):delete(req.args.k)) } }
        location = /expire { strata_content_by_lua_block { return tostring(strata.zone("z"):expire(req.args.k, tonumber(req.args.ttl))) } }
        location = /touch { strata_content_by_lua_block { return tostring(strata.zone("z"):touch(req.args.k)) } }
        location = /ttl { strata_content_by_lua_block { return tostring(strata.zone("z"):ttl(req.args.k)) } }
        location /hook { strata_cache z; strata_key_by_lua_block {
            strata.zone("z"):set(req.args.k, req.args.v, { ttl = 500 })
            return req.uri } proxy_pass http://127.0.0.1:1; }""") for _ in range(2))

    def say(ng, what):
        return ng.get(what).body.decode()

    def copied(k, v):
        """Both have a copy in L1."""
        is_(say(a, f"/set?k={k}&v={v}"), "true", f"{k} is set")
        for ng in a, b:
            ok(wait_until(lambda: say(ng, f"/get?k={k}") == f"{v} l1", 5), f"a copy in L1 of {v}")

    def record(k):
        return next((key for key in redis("KEYS", "strata:*") if redis("TYPE", key) == b"string"
                     and (b"\0\0" + k.encode()) in redis("GET", key)), None)

    def seen(k, v):
        """Both have that, and go on having it."""
        for ng in a, b:
            ok(wait_until(lambda: say(ng, f"/get?k={k}").startswith(v), 5), f"{k} is {v}: {say(ng, f'/get?k={k}')}")
            is_(say(ng, f"/get?k={k}").split()[0], v, "and stays so")

    ok(wait_until(lambda: all(say(ng, "/set?k=up&v=x") == "true" and say(ng, "/get?k=up").startswith("x") for ng in (a, b)), 10), "up")

    note("what Redis has evicted")
    copied("e1", "old")
    redis("DEL", record("e1"))
    say(a, "/delete?k=e1")
    seen("e1", "nil")
    copied("e2", "old")
    redis("DEL", record("e2"))
    is_(say(a, "/set?k=e2&v=new"), "true", "set again")
    seen("e2", "new")

    note("whose client leaves")
    copied("c", "old")
    redis.stop()
    conn = a.conn()
    conn.send(b"GET /set?k=c&v=new HTTP/1.1\r\nHost: localhost\r\n\r\n")
    time.sleep(0.2)
    conn.close()
    conn = a.conn()
    conn.send(b"GET /lock?k=c HTTP/1.1\r\nHost: localhost\r\n\r\n")
    time.sleep(0.2)
    conn.close()
    time.sleep(0.1)
    redis.go_on()
    ok(wait_until(lambda: b"new" in redis("GET", record("c")), 5), "Redis has it all the same")
    seen("c", "new")
    for ng in a, b:
        ok(wait_until(lambda: say(ng, "/lock?k=c") == "true", 5), "the lock it wanted is free")

    note("that is too late")
    copied("l", "old")
    redis.stop()
    r = say(a, "/set?k=l&v=new")
    redis.go_on()
    is_(r, "nil", "nobody knows")
    ok(wait_until(lambda: record("l"), 5), "Redis is back")
    if wait_until(lambda: b"new" in redis("GET", record("l")), 2):
        seen("l", "new")
    else:
        seen("l", "old")

    note("of hooks that can't wait")
    copied("h", "old")
    a.get("/hook?k=h&v=new")
    seen("h", "new")

    note("and pages are not fetched again for many that are written")
    ok(wait_until(lambda: b.get("/page").get("X-Cache") == "HIT", 5), "a page")
    is_(say(a, "/many"), "1500", "more values than the zone's log has tags")
    copied("after", "them")
    is_(b.get("/page").get("X-Cache"), "HIT", "it is still there")

    note("a life that changes")
    copied("t", "v")
    is_(say(a, "/expire?k=t&ttl=2"), "true", "shorter")
    ok(wait_until(lambda: 0 < float(say(b, "/ttl?k=t")) <= 2, 2), "also for b")
    is_(say(a, "/touch?k=t"), "true", "longer")
    ok(float(say(b, "/ttl?k=t")) > 400, "also for b, at once")
    time.sleep(2.1)
    seen("t", "v")
