#!/usr/bin/env python3
"""F-19: Redis takes no more clients, or we have no more descriptors: at most 10 connects a second and worker, back within 2 s."""
import pathlib, resource, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
from probe import Probe
from steady import Steady
import l2

with scenario(60, alone=True) as t:
    redis = l2.server(t)
    with Steady(t, redis.url) as load:
        with load.fault("maxclients") as f:
            redis("CONFIG", "SET", "maxclients", 1)
            refused = int(redis.info()["rejected_connections"])
            redis("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            f.hold(2)
            at_most(int(redis.info()["rejected_connections"]) - refused, 10 * 2 * 2,
                    "maxclients: attempts of two workers in 2 s")
            redis("CONFIG", "SET", "maxclients", 10000)
        at_least(len(load.ng.log("is down, .*max number of clients")), 1,
                 "maxclients: the log says why")

    # the adapter alone: the origin would need descriptors, too
    p = Probe(t, redis.url)
    p.ng.allowed.append("socket.. failed|Too many open files")
    ok(p.up(2), "two connections")
    pid, = p.ng.workers()
    conns = [p.ng.conn() for _ in range(2)]
    [c.get("/r?stat=1") for c in conns]
    limit = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, limit[1]))
    redis("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    ticks = lambda: sum(map(int, pathlib.Path(f"/proc/{pid}/stat").read_text()
                            .rsplit(")", 1)[1].split()[11:13]))
    began = ticks()
    time.sleep(2)
    at_most((ticks() - began) * 10, 100, "descriptors: CPU of the worker in 2 s, ms")
    tries = len(p.log("Too many open files"))
    ok(1 <= tries <= 20 + 2, f"descriptors: attempts in 2 s: {tries}")
    like(conns[0].get("/r?cmd=PING").body.decode(), "refused", "descriptors: a call is refused")
    resource.prlimit(pid, resource.RLIMIT_NOFILE, limit)
    start = time.monotonic()
    ok(p.up(2), "descriptors: both connections are back")
    within(ms_since(start), 2000, "descriptors: recovery")
