#!/usr/bin/env python3
"""A soft purge makes every variant stale."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    n = {}

    @origin.route("/*")
    def _(req):
        l = req.get("X-L")
        n[l] = n.get(l, 0) + 1
        return Reply(f"{l}{n[l]}".encode(), cc="max-age=60", headers=[("Vary", "X-L")])

    ng = t.nginx(origin, "strata_purge 1; strata_purge_mode invalidate; strata_grace 1h;")
    for l in "de", "fr", "en":
        ng.fill("/a", headers={"X-L": l})
    is_(ng.purge("/a").status, 200, "PURGE")
    for l in "de", "fr", "en":
        ok(wait_until(lambda: ng.get("/a", headers={"X-L": l}).body == f"{l}2".encode(), 3, 0.02), f"{l}: refreshed")
    is_(n, {"de": 2, "fr": 2, "en": 2}, "once each")

    is_(ng.purge("/a").status, 200, "once more")
    for l in "de", "fr", "en":
        is_((r := ng.get("/a", headers={"X-L": l})).get("X-Reason"), "soft-purge", f"{l}: {r.cache}")
        ok(wait_until(lambda: ng.get("/a", headers={"X-L": l}).body == f"{l}3".encode(), 3, 0.02), f"{l}: refreshed")
