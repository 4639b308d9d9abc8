#!/usr/bin/env python3
"""Reloads: workers of an old cycle, with a zone of their own, hear of purges; the tail moves; the log goes on and off."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
import invlog

with scenario(90) as t:
    origin = t.origin()
    n, gate = {}, Gate()

    @origin.route("/*")
    def _(req):
        n[req.path] = n.get(req.path, 0) + 1
        if req.path == "/hold":
            gate.wait()
        return Reply(f"{n[req.path]}".encode(), cc="max-age=100", headers=[("Surrogate-Key", "k")])

    redis, a, b = invlog.pair(t, origin)
    a.allowed += ["its size changed"]

    def purge(ng):
        r = ng.purge("/", headers={"Surrogate-Key": "k"})
        return r.status, json.loads(r.body)

    # the same zone: the tail moves to a new worker, and nothing is lost
    a.fill("/x")
    old = a.status()["log"]["tail"]
    a.reload()
    is_(a.get("/x").cache, "HIT", "a reload keeps what is there")
    is_(a.count("gap_flushes"), 0, "without starting over")
    status, said = purge(b)
    is_((status, said["acked"], said["expired"]), (200, 2, 0), f"a purge after a reload: {said}")
    is_(a.get("/x").cache, "MISS", "it was heard")
    wait_until(lambda: a.status()["log"]["tail"] not in (0, old), 5)
    ok(a.status()["log"]["tail"] in a.workers(), "a new worker has the tail")

    # another size: old workers keep the old zone, for requests that came before
    a.fill("/y")
    before = a.workers()
    pid = before[0]
    c, d = a.conn_to(pid), a.conn_to(pid)
    c.send(build("/hold"))
    gate.arrived()
    a.write(zone="z 12m")
    a.reload(wait=False)
    wait_until(lambda: set(a.workers()) - set(before) and int(a.get("/-pid").body) not in before, 10 * SLOW)
    invlog.leased(a)
    members = lambda: sum(int(v.split()[1]) > 0 for v in redis("HVALS", "{log}:m"))
    is_(members(), 3, "two nodes, and the old zone of one")
    status, said = purge(b)
    is_((status, said["acked"] + said["expired"]), (200, 3), f"the purge waits for all: {said}")
    gate.open()
    c.read()
    c.close(), d.close()
    wait_until(lambda: not set(a.workers()) & set(before), 10 * SLOW)

    # off and on again
    a.quiet()
    a.write(http=f"strata_redis r {redis.url};")
    a.reload()
    a.fill("/z")
    is_("sequence" in a.status()["log"], False, "without strata_events")
    r = a.purge("/", headers={"Surrogate-Key": "k"})
    is_((r.status, "position" in json.loads(r.body)), (200, True), "a purge of its own")
    is_(a.get("/z").cache, "MISS", "counts")
    purge(b)
    a.write(http=f"strata_redis r {redis.url}; strata_events redis=r stream=log;")
    a.reload()
    invlog.leased(a)
    status, said = purge(b)
    is_(status, 200, "with it again")
    is_(a.get("/z").cache, "MISS", "what was missed is made up for")
    is_(a.status()["log"]["sequence"], b.status()["log"]["sequence"], "both are where the log is")
