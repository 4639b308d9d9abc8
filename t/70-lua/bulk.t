#!/usr/bin/env python3
"""get_bulk, set_bulk, delete_bulk with a slow Redis: the calls go out together; what is left behind when the client leaves."""
import json, pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
from fault_proxy import FaultProxy
import l2

TOKEN = "Xk3zU8x2mQ7dT1vB9sYw"
N = 200
DO = """
    local z, keys, map = strata.zone("z"), {}, {}
    for i = 1, %d do keys[i] = "k" .. i map["k" .. i] = req.args.v or i end
    local what, out, err = req.args.do, nil, nil
    if what == "set" then out, err = z:set_bulk(map, { ttl = 600 })
    elseif what == "delete" then out, err = z:delete_bulk(keys)
    elseif what == "get" then
        out, err = z:get_bulk(keys)
        if out then
            local n = 0
            for key, value in pairs(out) do n = n + (value == map[key] and 1 or 0) end
            out = n
        end
    end
    return tostring(out) .. " " .. tostring(err)
""" % N

with scenario(seconds=60) as t:
    redis = l2.server(t)
    proxy = t.keep(FaultProxy(redis.port))
    ng = t.nginx(start=False, http=f"strata_redis r {proxy.url} timeout=5s; strata_l2 r; strata_l2_timeout 5s;", workers=1, only=f"""
        location = /do {{ strata_content_by_lua_block {{ {DO.replace("req.args.do", "req.args['do']")} }} }}
        location /kv/ {{ strata_kv z; strata_api_token %DIR%/tokens; }}
        location /hook {{ strata_cache z; strata_key_by_lua_block {{
            local z = strata.zone("z")
            local n, err = z:set_bulk {{ h1 = "x", h2 = "y" }}
            return {{ tostring(n), tostring(err), tostring(next(z:get_bulk {{ "k1" }})), tostring(z:delete_bulk {{ "k1", "k2" }}) }}
        }} add_header X-Key $strata_key always; proxy_pass http://127.0.0.1:1; }}""")
    ng.file("tokens", TOKEN + "\n")
    ng.start()

    def do(what, v=""):
        start = time.monotonic()
        text = ng.get(f"/do?do={what}{v and '&v=' + v}", timeout=30).body.decode()
        return text, time.monotonic() - start

    def many(**what):
        r = ng.request("/kv/_bulk", "POST", headers={"Authorization": f"Bearer {TOKEN}"}, body=json.dumps(what).encode())
        return r.status, json.loads(r.body)

    ok(wait_until(lambda: do("delete")[0] == "0 nil", 10), "Redis is up")

    # one after the other they would take N times 20 ms at least, twice that where the place in the log is looked at first
    proxy.both(delay=10)
    for what, v, want in (("set", "x", f"{N} nil"), ("get", "x", f"{N} nil"), ("delete", "", f"{N} nil"), ("get", "x", "0 nil")):
        text, seconds = do(what, v)
        is_(text, want, f"{what}: {N} values")
        ok(seconds < N * 0.02 / 2, f"at once: {seconds:.2f} s")
    keys = [f"k{i}" for i in range(N)]
    start = time.monotonic()
    is_(many(set={k: i for i, k in enumerate(keys)}), (200, {"set": N}), "over HTTP: set")
    is_(many(get=keys + ["none"]), (200, {"values": {k: i for i, k in enumerate(keys)}}), "get")
    is_(many(delete=keys + ["none"]), (200, {"deleted": N}), "delete")
    seconds = time.monotonic() - start
    ok(seconds < 3 * N * 0.02 / 2, f"at once: {seconds:.2f} s")

    note("the client leaves in between")
    proxy.heal()
    is_(do("set", "old")[0], f"{N} nil", "values")
    proxy.both(delay=100)
    for what, v in ("get", "old"), ("delete", ""), ("set", "new"):
        for pause in 0, 0.05, 0.15, 0.3:
            c = ng.conn()
            c.send(f"GET /do?do={what}&v={v} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            time.sleep(pause)
            c.close()
    proxy.heal()
    is_(do("set", "last")[0], f"{N} nil", "set once more")
    is_(do("get", "last")[0], f"{N} nil", "all of them are")

    note("Redis fails in between")
    proxy.both(delay=100)
    th = in_thread(lambda: do("get", "last"))
    time.sleep(0.15)
    proxy.cut("rst")
    text = th.join(30)[0]
    ok(text.startswith("nil l2-") or text == f"{N} nil", f"a reason: {text}")
    proxy.heal()
    ok(wait_until(lambda: do("get", "last")[0] == f"{N} nil", 10), "and all is well again")
    redis("SET", "x", "y")
    redis("SCRIPT", "FLUSH")
    is_(do("set", "again")[0], f"{N} nil", "scripts that Redis has forgotten are loaded")
    redis("CONFIG", "SET", "maxmemory", "1"), redis("CONFIG", "SET", "maxmemory-policy", "noeviction")
    text = do("set", "full")[0]
    ok(text.startswith("nil l2-"), f"Redis is full: {text}")
    redis("CONFIG", "SET", "maxmemory", "0")
    is_(do("get", "again")[0], f"{N} nil", "what was there is there")

    r = ng.get("/hook")
    ok("2|nil|nil|2" in r.get("X-Key"), f"where nobody can wait they are sent: {r.get('X-Key')}")
    ok(wait_until(lambda: many(get=["h1", "h2", "k1", "k2"]) == (200, {"values": {"h1": "x", "h2": "y"}}), 10), "and carried out")
