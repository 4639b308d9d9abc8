#!/usr/bin/env python3
"""T-25: a stream of keys that nobody asks for twice does not push the hot set out."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

import random

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        return Reply(text(req.target, 1000), cc="max-age=600")

    ng = t.nginx(origin, zone="z 1m")
    rnd = random.Random(5)
    hot = [f"/hot{i}" for i in range(100)]
    with ng.conn() as c:
        for _ in range(3):
            for p in hot:
                c.get(p)
        hits = total = 0
        for i in range(int(4000 / SLOW)):
            c.get(f"/bust?r={i}")
            if i % 2:
                r = c.get(rnd.choice(hot))
                total += 1
                hits += r.cache == "HIT"
    at_least(100.0 * hits / total, 95.0, "percent of hits in the hot set")
    at_least(ng.count("evictions"), 100 / SLOW, "the flood is what was evicted")
