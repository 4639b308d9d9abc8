#!/usr/bin/env python3
"""Sentinel under load: a failover by hand, a master that dies; no 5xx, a purge is 503 (F-09)."""
import pathlib, random, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
from redis_sentinel import Group
import l2

N = 60

with scenario(120) as t:
    group = t.keep(Group())
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        return Reply(text(req.path, 200), cc="max-age=600")

    ng, = l2.gateways(t, origin, f"{group.urls} mode=sentinel master={group.name}",
                      "strata_l2_timeout 100ms; strata_l1 off; strata_purge 1;", n=1)
    l2.ready(ng)
    paths = [f"/{i}" for i in range(N)]
    wait_until(lambda: ng.fill("/0") and group.master("DBSIZE"), 5)
    for p in paths:
        ng.fill(p)
    ok(wait_until(lambda: group.master("DBSIZE") == N, 5), "filled, at the master")
    is_({ng.get(p).tier for p in paths}, {"l2"}, "and from there")

    class Load(threading.Thread):
        def __init__(self, seed):
            super().__init__(daemon=True)
            self.rng, self.stop, self.seen = random.Random(seed), False, []
            self.start()

        def run(self):
            with ng.conn() as c:
                while not self.stop:
                    p = self.rng.choice(paths)
                    r = c.get(p)
                    self.seen.append((r.status, r.ms, r.body == text(p, 200)))

    def from_l2():
        """Does every worker answer from L2?"""
        for pid in ng.workers():
            with ng.conn_to(pid) as c:
                if c.get("/0").tier != "l2":
                    return False
        return True

    def under_load(what, act):
        loads = [Load(f"{what}{i}") for i in range(4)]
        try:
            time.sleep(0.3)
            act()
            began = time.monotonic()
            back = wait_until(from_l2, 10, 0.02)
            ms = ms_since(began)
        finally:
            for x in loads:
                x.stop = True
        for x in loads:
            x.join(10)
        seen = [s for x in loads for s in x.seen]
        is_([s for s in seen if s[0] != 200][:5], [], f"{what}: {len(seen)} answers, all 200")
        is_([s for s in seen if not s[2]][:5], [], f"{what}: each with its own body")
        within(max(s[1] for s in seen), 600, f"{what}: the slowest answer")
        ok(back, f"{what}: from L2 again")
        within(ms, 2000, f"{what}: within 2 s of the new master")

    under_load("a failover by hand", group.failover)
    group.settle()

    def die():
        old = group.kill()
        is_(ng.purge("/1").status, 503, "no master: a purge is refused")
        group.took_over(old)
        old.start()

    under_load("the master dies", die)
    group.settle(30)
    is_(ng.purge("/1").status, 200, "a purge works again")
