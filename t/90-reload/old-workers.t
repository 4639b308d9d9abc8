#!/usr/bin/env python3
"""An old worker that still serves a client: a purge and a kill afterwards do no harm."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    n = 0

    @origin.route("/a")
    def _(req):
        global n
        n += 1
        return Reply(blob(n, 800_000), cc="max-age=60")

    ng = t.nginx(origin, "strata_purge 1;", socket="sndbuf=16k")
    ng.fill("/a")
    slow = [ng.conn(rcvbuf=4096) for _ in range(6)]
    for c in slow:
        c.send(build("/a"))
    wait_until(lambda: (ng.count("readers") or 0) >= 6, 3)
    old = ng.workers()
    ng.reload(wait=False)
    ok(wait_until(lambda: not set(old) & set(ng.workers()) and len(ng.workers()) == 2, 5), "new workers")
    ok(set(old) & set(ng.children()), "an old one is still there")
    is_(ng.get("/a").cache, "HIT", "new workers serve the entry")
    is_(ng.purge("/a").status, 200, "PURGE in a new worker")
    is_(ng.get("/a").body == blob(2, 800_000), True, "the new body")
    victim = next(iter(set(old) & set(ng.children())))
    ng.kill_worker(victim)
    wait_until(lambda: victim not in ng.children(), 3)
    good = sum(r.complete and r.body == blob(1, 800_000) for r in read_all(slow))
    note(f"{good} of 6 slow readers were not in the killed one")
    is_(ng.get("/a").body == blob(2, 800_000), True, "goes on")
    for c in slow:
        c.close()
    is_(ng.quiet(), {}, "nothing of the dead worker is left")
