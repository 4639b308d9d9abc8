#!/usr/bin/env python3
"""The clock of Redis steps: no acknowledgement comes too early, and none has to wait until it is right again."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
from fault_proxy import FaultProxy
import invlog, l2

LEASE_MS = int(1500 * SLOW)

# All instants that the log keeps, moved: what it looks like when the clock does.
STEP = """
local by = tonumber(ARGV[1])
redis.call('HINCRBY', KEYS[1], 'born', -by)
if redis.call('HEXISTS', KEYS[1], 'at') == 1 then
    redis.call('HINCRBY', KEYS[1], 'at', -by)
end
local all = redis.call('HGETALL', KEYS[2])
for i = 2, #all, 2 do
    local at, ends = string.match(all[i], '^(%d+) (%d+)$')
    redis.call('HSET', KEYS[2], all[i - 1], at .. ' ' .. string.format('%.0f', ends - by))
end
return #all / 2
"""

with scenario(60) as t:
    origin = t.origin()
    version = [1]
    origin.route("/*")(lambda req: Reply(b"%d" % version[0], cc="max-age=600",
                                         headers=[("Surrogate-Key", "k")]))
    redis = l2.server(t)
    proxy = t.keep(FaultProxy(redis.port))
    a, b = [invlog.node(t, origin, url, lease=f"{LEASE_MS}ms") for url in (redis.url, proxy.url)]
    for ng in a, b:
        ng.allowed += ["strata log", "strata redis"]
        invlog.leased(ng)

    def purge(ng):
        r = ng.purge("/", headers={"Surrogate-Key": "k"})
        return r.status, json.loads(r.body), r.ms

    def step(seconds):
        return redis("EVAL", STEP, 2, "{log}:h", "{log}:m", seconds * 1000)

    def settled():
        """Both are members, and told at once."""
        for ng in a, b:
            invlog.leased(ng)
        ok(wait_until(lambda: purge(a)[1].get("acked") == 2, 10), "both are members")
        # each worker has a connection of its own
        wait_until(lambda: all(purge(b)[0] == 200 for _ in range(8)), 10)
        for ng in a, b:
            ng.fill("/x")

    for seconds in 5, 86400:
        settled()
        proxy.both(drop=1)
        is_(step(seconds), 2, f"{seconds} s ahead, and one is cut off")
        version[0] += 1
        status, said, took = purge(a)
        is_(status, 200, f"{seconds} s: acknowledged: {said}")
        is_(b.get("/x").body, b"%d" % version[0], f"{seconds} s: who was cut off has nothing older")
        at_most(took, LEASE_MS * 1.1 + 2000, f"{seconds} s: within lease + 10 %, ms")
        proxy.heal()
        proxy.cut("rst")

    settled()
    is_(step(-86400), 2, "a day back")
    version[0] += 1
    status, said, took = purge(b)
    is_(status, 200, f"back: acknowledged: {said}")
    at_most(took, LEASE_MS * 1.1 + 2000, "back: within lease + 10 %, ms")
    is_(a.get("/x").body, b"%d" % version[0], "back: nothing older elsewhere")
    settled()
