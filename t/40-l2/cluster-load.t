#!/usr/bin/env python3
"""Redis Cluster under load: slots move, a replica is promoted, a primary dies; no 5xx."""
import pathlib, random, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
from redis_cluster import Cluster, slot_of
import l2

N = 150
CLIENTS = 4

with scenario(150) as t:
    cluster = t.keep(Cluster())
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        return Reply(text(req.path, 200), cc="max-age=600")

    urls = " ".join(cluster.servers[i].url for i in (0, 1))
    a, b = l2.gateways(t, origin, f"{urls} mode=cluster",
                       "strata_l2_timeout 100ms; strata_l1 off;")
    paths = [f"/{i}" for i in range(N)]
    for p in paths:
        a.fill(p)
    ok(wait_until(lambda: len(cluster.keys()) == N, 5), "filled, in the cluster")
    at_least(min(len(cluster.servers[i]("KEYS", "*")) for i in cluster.primaries()), N // 10,
             "on each of three primaries")
    l2.ready(b)
    rs = [b.get(p) for p in paths]
    is_({(r.status, r.cache, r.tier) for r in rs}, {(200, "HIT", "l2")},
        "the other gateway has it all from L2")
    is_(sum(origin.count(p) for p in paths), N, "the origin was asked once for each")

    class Load(threading.Thread):
        """Requests until told to stop: (when, status, tier, ms, right body)."""

        def __init__(self, seed):
            super().__init__(daemon=True)
            self.rng, self.stop, self.seen = random.Random(seed), False, []
            self.start()

        def run(self):
            with (a, b)[self.rng.random() < 0.5].conn() as c:
                while not self.stop:
                    p = self.rng.choice(paths)
                    r = c.get(p)
                    self.seen.append((time.monotonic(), r.status, r.tier, r.ms,
                                      r.body == text(p, 200)))

    def under_load(what, act):
        """What the clients saw while act() ran."""
        loads = [Load(f"{what}{i}") for i in range(CLIENTS)]
        try:
            time.sleep(0.3)
            act()
            time.sleep(0.5)
        finally:
            for x in loads:
                x.stop = True
        for x in loads:
            x.join(10)
        seen = sorted(s for x in loads for s in x.seen)
        is_([s for s in seen if s[1] != 200][:5], [], f"{what}: {len(seen)} answers, all 200")
        is_([s for s in seen if not s[4]][:5], [], f"{what}: each with its own body")
        within(max(s[3] for s in seen), 600, f"{what}: the slowest answer")
        return seen

    def share(seen, since=0.0, until=1e18):
        """Which part came from L2."""
        part = [s for s in seen if since <= s[0] < until]
        return round(sum(s[2] == "l2" for s in part) / max(1, len(part)), 3)

    def redirects():
        """Of all workers."""
        total = 0
        for ng in a, b:
            for pid in ng.workers():
                with ng.conn_to(pid) as c:
                    total += json.loads(c.get("/-status").body)["redis"]["r"]["redirects"]
        return total

    before = redirects()           # of the first calls, which came before the map
    seen = under_load("steady", lambda: time.sleep(0.5))
    at_least(share(seen), 0.99, "steady: from L2")
    is_(redirects(), before, "steady: no redirect")

    def move():
        """Half of the slots that have keys, from one primary to the next."""
        home = {slot_of(k): cluster.primary(slot_of(k)) for k in cluster.keys()}
        for to in cluster.primaries():
            for slot, i in home.items():
                if i != to and slot % 2:
                    cluster.move(slot, to)
                    home[slot] = to

    seen = under_load("slots move", move)
    at_least(redirects() - before, 20, "slots move: redirects")
    at_least(share(seen), 0.9, "slots move: most from L2")
    cluster.settle()

    old = cluster.primaries()[0]
    seen = under_load("a failover by hand", lambda: cluster.failover(cluster.in_step(old)))
    at_least(share(seen, seen[-1][0] - 0.4), 0.95, "a failover by hand: from L2 at its end")

    marks = []

    def kill():
        i = cluster.primaries()[-1]
        cluster.in_step(i)
        cluster.kill(i)
        marks.append(time.monotonic())
        cluster.took_over(i)
        marks.append(time.monotonic())
        time.sleep(2.5)

    before = sum(origin.count(p) for p in paths)
    seen = under_load("a primary dies", kill)
    note(f"its replica took over after {marks[1] - marks[0]:.1f} s; from L2 before, "
         f"meanwhile, after: {share(seen, 0, marks[0])} {share(seen, *marks)} "
         f"{share(seen, marks[1] + 2)}")
    at_least(share(seen, marks[1] + 2), 0.99, "a primary dies: from L2 within 2 s of the take-over")
    at_least(sum(origin.count(p) for p in paths) - before, 1, "a primary dies: the origin helped")
