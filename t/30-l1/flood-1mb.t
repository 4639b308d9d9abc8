#!/usr/bin/env python3
"""A 1 MB zone under a flood of mixed sizes: no 5xx, right bytes, the hot set stays."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

import random

with scenario() as t:
    origin = t.origin()
    sizes = [100, 500, 1000, 1100, 3000, 8000, 20_000, 60_000, 120_000, 200_000, 900_000]

    @origin.route("/*")
    def _(req):
        _, kind, size, i = req.path.split("/")
        return Reply(text(req.path, int(size)), cc="max-age=600",
                     chunked=kind == "ch")

    ng = t.nginx(origin, zone="z 1m")
    hot = [f"/cl/{1000 + i}/hot{i}" for i in range(50)]
    stats = {"flood": 0, "bad": [], "hot": 0, "hit": 0}
    stop = time.monotonic() + 5
    warm = time.monotonic() + 1

    def check(path, r):
        size = int(path.split("/")[2])
        if r.status != 200 or not r.complete or r.body != text(path, size):
            stats["bad"].append((path, str(r)))

    def flood(seed):
        rnd = random.Random(seed)
        with ng.conn() as c:
            i = 0
            while time.monotonic() < stop:
                i += 1
                path = f"/{rnd.choice(('cl', 'ch'))}/{rnd.choice(sizes)}/{seed}-{i}"
                check(path, c.get(path))
                stats["flood"] += 1

    def hits():
        rnd = random.Random(1)
        with ng.conn() as c:
            while time.monotonic() < stop:
                path = rnd.choice(hot)
                r = c.get(path)
                check(path, r)
                if time.monotonic() > warm:
                    stats["hot"] += 1
                    stats["hit"] += r.cache == "HIT"
                time.sleep(0.0005)

    for _ in range(3):
        for path in hot:
            ng.get(path)
    threads = [in_thread(flood, i) for i in range(3)] + [in_thread(hits), in_thread(hits)]
    for th in threads:
        th.join()
    note(f"{stats['flood']} of the flood, {stats['hot']} of the hot set")
    is_(stats["bad"][:3], [], "every answer whole and right, no 5xx")
    at_least(stats["flood"], 300 / SLOW, "flood requests")
    at_least(100.0 * stats["hit"] / max(1, stats["hot"]), 95.0, "percent of hits in the hot set")
    s = ng.status()
    ok(s["bytes_used"] <= s["bytes_total"] <= 1 << 20, "bytes used, bytes total, zone size")
    at_least(s["evictions"], 100 / SLOW, "evictions")
    note({k: s[k] for k in ("stores", "evictions", "store_fails", "entries", "bytes_used", "bytes_total")})
    ok(len(ng.log(r"\[(error|warn)\].*strata")) <= 12, "the log is not flooded")
