#!/usr/bin/env python3
"""strata_grace: stale at once while one refresh runs, then the new body."""
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
        if n > 1:
            time.sleep(0.3)
        return Reply(f"v{n}".encode())

    ng = t.nginx(origin, "strata_valid 200ms; strata_grace 30s;")
    ng.fill("/a")
    wait_until(lambda: ng.get("/a").cache != "HIT", 3, 0.01)
    r = ng.get("/a")
    ok(r.cache in ("UPDATING", "STALE"), f"stale ({r.cache})")
    is_(r.body, b"v1", "the old body")
    within(r.ms, 50, "at once")
    at_least(int(r.get("Age")), 0, "with an Age")
    ok(wait_until(lambda: ng.get("/a").body == b"v2", 3, 0.02), "then the new one")
    at_most(n, 3, "few refreshes")
    at_least(ng.count("updating"), 1, "counted: updating")
    at_least(ng.count("stale"), 1, "counted: stale")
    at_least(ng.count("refreshes"), 1, "counted: refreshes")
