#!/usr/bin/env python3
"""Entries of a few ms life, refreshed and replaced under load: right bytes all the time, no leak."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

import random

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        return Reply(text(req.path, 3000 + len(req.path) * 400), headers=[("ETag", f'"{req.path}"')]
                     if req.path.endswith("5") else [])

    ng = t.nginx(origin, "strata_valid 20ms; strata_grace 20ms; strata_keep 50ms; strata_purge 1;", zone="z 1m")
    stop = time.monotonic() + 3
    bad, n = [], [0]

    def load(seed):
        rnd = random.Random(seed)
        with ng.conn() as c:
            while time.monotonic() < stop:
                p = f"/{'x' * rnd.randrange(10)}{rnd.randrange(10)}"
                if rnd.random() < 0.05:
                    c.request(p, "PURGE")
                    continue
                r = c.get(p)
                n[0] += 1
                if r.status not in (200,) or r.body != text(p, 3000 + len(p) * 400):
                    bad.append((p, str(r)))

    for th in [in_thread(load, i) for i in range(8)]:
        th.join()
    is_(bad[:3], [], f"{n[0]} answers, all right")
    is_(ng.quiet(), {}, "gauges at rest")
    for p in {f"/{'x' * k}{i}" for k in range(10) for i in range(10)}:
        ng.purge(p)
    ok(wait_until(lambda: ng.count("entries") == 0, 3), "all purged")
    is_(ng.count("bytes_used"), 0, "no chunk leaked")
