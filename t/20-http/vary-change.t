#!/usr/bin/env python3
"""An origin that starts, changes or ends Vary never gets a wrong variant out."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    vary = []

    @origin.route("/v")
    def _(req):
        return Reply(f"{req.get('X-A')}/{req.get('X-B')}".encode(),
                     headers=[("Vary", v) for v in vary] + [("X-Rule", ",".join(vary))])

    ng = t.nginx(origin, "strata_valid 300ms; strata_keep 0; strata_use_stale off;")
    for rule in [], ["X-A"], ["X-A", "X-B"], ["X-B"], []:
        vary[:] = rule
        wait_until(lambda: ng.get("/v", headers={"X-A": "0", "X-B": "0"}).get("X-Rule")
                   == ",".join(rule), 3, 0.02)
        for a in "1", "2":
            for b in "1", "2":
                r = ng.get("/v", headers={"X-A": a, "X-B": b})
                got = r.body.decode().split("/")
                used = (r.get("X-Rule") or "").split(",")
                good = ("X-A" not in used or got[0] == a) and ("X-B" not in used or got[1] == b)
                ok(good, f"rule {rule}: {a}/{b} got {got} under {used}")
