#!/usr/bin/env python3
"""Too many names, or too many variants, are not stored; nothing else suffers."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()

    @origin.route("/names")
    def _(req):
        return Reply(b"n", cc="max-age=60",
                     headers=[("Vary", ", ".join(f"X-{i}" for i in range(40)))])

    @origin.route("/agents")
    def _(req):
        return Reply((req.get("User-Agent") or "").encode(), cc="max-age=60",
                     headers=[("Vary", "User-Agent")])

    origin.reply("/other", Reply(b"o", cc="max-age=60"))
    ng = t.nginx(origin, zone="z 2m")
    ng.fill("/other")
    for _ in 1, 2:
        r = ng.fill("/names")
    is_(origin.count("/names"), 2, "40 names: not stored")

    with ng.conn() as c:
        wrong = sum(c.get("/agents", headers={"User-Agent": f"ua-{i}"}).body
                    != f"ua-{i}".encode() for i in range(400))
    is_(wrong, 0, "400 user agents: each its own answer")
    s = ng.status()
    ok(s["bytes_used"] <= s["bytes_total"], "within the zone")
    is_(ng.get("/other").cache, "HIT", "another key is still there")
