#!/usr/bin/env python3
"""One PURGE removes every variant."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        return Reply((req.get("X-L") or "").encode(), cc="max-age=60", headers=[("Vary", "X-L")])

    ng = t.nginx(origin, "strata_purge 1;")
    langs = ["de", "fr", "en", "it", "es"]
    for round_ in 1, 2, 3:
        for l in langs:
            ng.fill("/a", headers={"X-L": l})
        is_({ng.get("/a", headers={"X-L": l}).cache for l in langs}, {"HIT"}, f"{round_}: five variants")
        is_(ng.purge("/a").status, 200, f"{round_}: PURGE")
        is_({ng.fill("/a", headers={"X-L": l}).cache for l in langs} & {"HIT"}, set(), f"{round_}: none left")
        is_([ng.get("/a", headers={"X-L": l}).body for l in langs], [l.encode() for l in langs], f"{round_}: right")
    ng.fill("/b", headers={"X-L": "de"})
    is_(ng.purge("/b", headers={"X-L": "fr"}).status, 200, "PURGE with another variant's header")
    isnt(ng.fill("/b", headers={"X-L": "de"}).cache, "HIT", "removes it too")
    is_(ng.purge("/c").status, 404, "404 for what was not there")
