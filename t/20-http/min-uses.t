#!/usr/bin/env python3
"""strata_min_uses: stored from the n-th request on."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    origin.reply("/*", Reply(b"x", cc="max-age=60"))
    ng = t.nginx(origin, "strata_min_uses 3;")
    r = ng.fill("/a")
    is_((r.status, r.why), (200, "min-uses"), "first: reason")
    is_(ng.fill("/a").why, "min-uses", "second")
    ng.fill("/a")
    is_(ng.get("/a").cache, "HIT", "fourth: HIT")
    is_(origin.count("/a"), 3, "three fetches")
    for i in range(50):
        ng.get(f"/once{i}")
    is_(ng.count("entries"), 1, "keys asked for once leave nothing")
