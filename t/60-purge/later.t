#!/usr/bin/env python3
"""strata_double_delete: the second purge comes, on this node and on others, whoever dies meanwhile."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
import invlog

import os, signal

with scenario(60) as t:
    origin = t.origin()
    n = {}

    @origin.route("/*")
    def _(req):
        n[req.path] = n.get(req.path, 0) + 1
        return Reply(f"{n[req.path]}".encode(), cc="max-age=100", headers=[("Surrogate-Key", "k")])

    def twice(ng, who, what, **kw):
        """Purged, stored again from a replica that is behind, purged again."""
        for _ in range(10):
            start = time.monotonic()
            r = ng.purge(what, **kw)
            first = who.fill("/x").body
            if time.monotonic() - start < 0.6:     # before the second one
                break
            note("slow, once more"), time.sleep(1.5), ng.fill("/x")
        is_(r.status, 200, f"{what}: purged {r.body}")
        yield
        ok(wait_until(lambda: who.get("/x").body != first, 10), "and once more")

    def run(steps):
        for _ in steps:
            pass

    alone = t.nginx(origin, "strata_purge on; strata_double_delete 700ms;")
    alone.fill("/x")
    run(twice(alone, alone, "/x"))
    run(twice(alone, alone, "/", headers={"Surrogate-Key": "k"}))
    steps = twice(alone, alone, "/", headers={"Surrogate-Key": "k other"})
    next(steps)
    for pid in alone.workers():
        alone.kill_worker(pid)
    run(steps)

    # there is room for so many
    slow = t.nginx(origin, "strata_purge on; strata_double_delete 1h;")
    for i in range(4):
        r = slow.purge("/", headers={"Surrogate-Key": " ".join(f"{i}-{j}" for j in range(128))})
    is_((r.status, json.loads(r.body)["failed"]), (503, "delay-full"), "no room for another")

    is_(slow.get("/x").cache, "MISS", "stored")
    r = slow.purge("/", headers={"Surrogate-Key": " ".join(["k", *(f"5-{j}" for j in range(127))])})
    is_((r.status, slow.get("/x").cache), (503, "MISS"), "refused, and purged once all the same")
    # what writes make invalid goes on without its repeat
    def flood(ng):
        for i in range(20):
            ng.request(f"/none?id=p{i}-", "POST", body=b"x")
        ng.fill("/p/1")
        ng.request("/none?id=p/", "POST", body=b"x")
        return ng.get("/p/1").cache
    rule = "strata_double_delete 1h; strata_invalidate_on POST prefix=http|localhost|/$arg_id;"
    flooded = t.nginx(origin, rule)
    is_(flood(flooded), "MISS", "there is no room for a repeat: purged once")
    ok(flooded.status()["log_full"] > 0, "and counted")

    redis, a, b = invlog.pair(t, origin, "strata_double_delete 1s;")
    a.purge("/none")                   # the first answer of a log waits for a lease, and longer than a second
    for ng in a, b:
        ng.fill("/x")
    run(twice(a, b, "/x"))
    steps = twice(a, b, "/", headers={"Surrogate-Key": "k"})
    next(steps)
    is_(redis("ZCARD", "{log}:d"), 1, "kept in Redis")
    for pid in a.workers():
        a.kill_worker(pid)
    run(steps)
    # the node that was asked, as a whole
    for ng in a, b:
        ng.fill("/x")
    steps = twice(a, b, "/x")
    next(steps)
    workers, a.stopped = a.workers(), True
    a.process.kill()
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    a.process.wait()
    run(steps)
    wait_until(lambda: redis("ZCARD", "{log}:d") == 0, 5)
    is_(redis("ZCARD", "{log}:d"), 0, "and not any more")
