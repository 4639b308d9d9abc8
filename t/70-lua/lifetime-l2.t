#!/usr/bin/env python3
"""Scripts that wait for Redis: clients that leave, VMs and connections that go at any moment."""
import os, pathlib, random, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
from fault_proxy import FaultProxy
import l2

OPS = {
    "get": "return tostring(z:get('a'))",
    "set": "return tostring(z:set('a' .. math.random(5), ('x'):rep(20000), { ttl = 60 }))",
    "add": "return tostring(z:add('b' .. math.random(5), 1, { ttl = 0.1 }))",
    "incr": "return tostring(z:incr('n', 1, 0))",
    "touch": "return tostring(z:touch('a')) .. tostring(z:expire('a', 60))",
    "delete": "return tostring(z:delete('a1', 'a2', 'a3'))",
    "bulk": "return tostring(z:get_bulk { 'a', 'a1', 'n' })",
    "purge": "return tostring(z:purge { prefix = 'a' })",
    "lock": "local l, e = strata.lock('l', { ttl = 0.3, wait = 1 }) if not l then return tostring(e) end "
            "l:extend(0.2) return tostring(l:release())",
    "once": "return tostring(z:get_or_set('o' .. math.random(3), { ttl = 0.05, timeout = 1 }, "
            "function() strata.sleep(0.01) return 'v' end))",
    "inside": "return tostring(z:get_or_set('i', { ttl = 0.05, timeout = 1 }, function() return z:incr('m', 1, 0) end))",
}

with scenario(seconds=100) as t:
    seed = int(os.environ.get("STRATA_SEED", time.time_ns() % 1000000))
    note(f"STRATA_SEED={seed}")
    rnd_ = random.Random(seed)
    redis = l2.server(t)
    proxy = t.keep(FaultProxy(redis.port))
    ng = t.nginx(workers=1, http=f"strata_redis r {proxy.url} timeout=1s; strata_lua_memory 8m; strata_l2 r; strata_l2_timeout 1s;",
                 only="location / { strata_cache z; return 200 'x'; }" + "".join(
                     f"location = /{name} {{ strata_content_by_lua_block {{ local z = strata.zone('z') {code} }} }}\n"
                     for name, code in OPS.items())
                 + """location = /oom { strata_content_by_lua_block { local t = {} for i = 1, 1e9 do t[i] = ("x"):rep(1000) .. i end } }""")

    def works(what):
        """Whatever went before, each operation answers, and what it waits for comes."""
        proxy.heal()
        ok(tap.wait_until(lambda: ng.get("/set").body == b"true", 15), f"{what}: Redis is asked again")
        wrong = []
        for name in OPS:
            tap.wait_until(lambda: not ng.get(f"/{name}").body.startswith(b"nil") or name == "get", 5)
            r = ng.get(f"/{name}")
            if r.status != 200:
                wrong.append((name, r.status))
        is_(wrong, [], f"{what}: all operations")
        ok(tap.wait_until(lambda: ng.get("/lock").body == b"true", 5), f"{what}: a lock is free in time")
        is_(ng.quiet(), {}, f"{what}: nothing is left")

    def storm(seconds, **kw):
        """Scripts whose clients leave at random."""
        end, conns = time.monotonic() + seconds, []
        while time.monotonic() < end:
            c = ng.conn()
            c.send(build(f"/{rnd_.choice(list(OPS))}"))
            conns.append(c)
            if rnd_.random() < 0.1:
                time.sleep(rnd_.random() * 0.02)
            while len(conns) > 30:
                conns.pop(rnd_.randrange(len(conns))).close()
            if kw.get("cut") and rnd_.random() < 0.01:
                proxy.cut(rnd_.choice(["fin", "rst"]))
            if "oom" in kw and rnd_.random() < 0.02:
                kw["oom"].append(ng.get("/oom").status)
        for c in conns:
            c.close()

    works("at first")
    proxy.down(delay=5, jitter=40)
    storm(1.5)
    works("clients that leave")
    proxy.down(delay=5, jitter=40)
    storm(1, cut=True)
    works("connections that are cut")
    proxy.down(delay=5, jitter=40)
    gone = []
    storm(1, oom=gone)
    ok(gone and set(gone) == {500}, f"out of memory {len(gone)} times")
    works("VMs that are lost")
    proxy.down(drop=1)
    waiting = [in_thread(ng.get, f"/{name}") for name in OPS]
    time.sleep(0.2)
    ng.reload()
    answers = {w.join().status for w in waiting}
    ok(answers <= {200, 500}, f"a reload while Redis hangs: {answers}")
    works("after a reload")
