#!/usr/bin/env python3
"""
Very many entries under one tag: its purge takes no time, and nobody notices but those that had it.

STRATA_ENTRIES says how many (make bench-purge: 1000000).
"""
import pathlib, subprocess, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import strata
from strata import *
from nginx import _die_with_parent
from steady import percentile
import invlog, l2
import bisect

ENTRIES = int(os.environ.get("STRATA_ENTRIES", 50_000))
HITS = 40
PURGES = 40


class Load:
    """t/lib/load.c; what it saw, less what the machine took meanwhile."""

    def __init__(self, pids, *classes):
        self.process = subprocess.Popen([strata.compiled("load.c"), ",".join(map(str, pids)), *classes],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        preexec_fn=_die_with_parent)

    def end(self):
        out, _ = self.process.communicate(timeout=20 * SLOW)
        lines = [x.split() for x in out.splitlines()]
        self.at, self.waited = zip(*[(int(x[1]), int(x[2]) / 1000) for x in lines if x[0] == "busy"])
        return [(int(x[1]) / 1e6, self.ms(int(x[1]), int(x[2])), x[3] == "200" and x[4] == "1", x[5])
                for x in lines if x[0] == "hit"]

    def ms(self, since, took):
        lo = max(0, bisect.bisect_right(self.at, since) - 1)
        hi = min(len(self.at) - 1, bisect.bisect_left(self.at, since + took))
        return max(0.05, took / 1000 - (self.waited[hi] - self.waited[lo]))

    def kill(self):
        self.process.kill()
        self.process.communicate()


with scenario(60 + ENTRIES / 2000) as t:
    origin = t.nginx(only="""
        location /fill/ { add_header Cache-Control max-age=3600; add_header Surrogate-Key a;
                          return 200 "$uri\\n"; }
        location /hit/  { add_header Cache-Control max-age=3600; add_header Surrogate-Key "ab b";
                          return 200 "$uri\\n$uri\\n"; }""", zone=(), show=False, status=False, workers=1)
    origin.address = f"127.0.0.1:{origin.port}"
    redis = l2.server(t)
    ng = invlog.node(t, origin, redis.url, zone=f"z {64 + ENTRIES // 400}m")
    invlog.leased(ng)
    pids = ng.workers()

    def entries():
        return ng.count("entries")

    for i in range(HITS):
        ng.get(f"/hit/{i}")
    began = time.monotonic()
    filling = Load(pids, f"fill:{ng.port}:64:1:/fill/:0")
    ok(wait_until(lambda: entries() >= ENTRIES + HITS, 30 + ENTRIES / 4000, 0.1), f"{entries()} entries")
    filling.kill()
    note(f"filled in {time.monotonic() - began:.0f} s")
    ng.quiet()
    is_(ng.count("evictions"), 0, "all of them are there")

    load = Load(pids, f"hit:{ng.port}:8:{int(4000 * SLOW)}:/hit/:{HITS}")
    time.sleep(0.4)
    quiet = time.monotonic()
    time.sleep(1.5)
    purging = time.monotonic()
    took = []
    with ng.conn() as c:
        for i in range(PURGES):
            since = time.monotonic()
            r = c.request("/", "PURGE", headers={"Surrogate-Key": "a"})
            took.append(((since * 1e6), (time.monotonic() - since) * 1e6))
            if r.status != 200 or json.loads(r.body)["acked"] != 1:
                ok(False, f"{r.status} {r.body}")
            if i == 0:
                first = c.get("/fill/7")
            time.sleep(0.03)
    ended = time.monotonic()
    seen = load.end()

    ms = sorted(load.ms(*x) for x in took)
    within(ms[len(ms) // 2], 5, f"{PURGES} purges of {ENTRIES} entries: answered, half of them (ms)")
    within(load.ms(*took[0]), 25, "the first of them (ms)")
    is_((first.cache, first.body), ("MISS", b"/fill/7\n"), "what had the tag is fetched again")
    bad = [x for x in seen if not x[2] or x[3] != "l1"]
    is_(bad[:3], [], f"{len(seen)} requests for what has the tag ab: all hits")
    calm = [x[1] for x in seen if quiet <= x[0] < purging]
    busy = [x[1] for x in seen if purging <= x[0] < ended]
    at_least(min(len(calm), len(busy)), 500 / SLOW, "requests in each phase")
    base, p99 = percentile(calm, 0.99), percentile(busy, 0.99)
    note(f"p99 of hits: {base:.2f} ms when quiet, {p99:.2f} ms with {PURGES / (ended - purging):.0f} purges/s")
    within(p99, 2 * base + 3, "p99 of hits meanwhile (ms)")
    within(percentile(busy, 0.999), 10, "no turn of the event loop held them up (ms)")
    is_(entries() >= ENTRIES, True, "nothing was walked: the memory is given back as it is needed")
    hits = [ng.get(f"/fill/{i}").cache for i in range(100, 100 + 200)]
    is_("HIT" in hits, False, "none of those that had it is served")
