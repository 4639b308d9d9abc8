#!/usr/bin/env python3
"""F-48: no connections left for a fetch: an error for those, no crash, no leak, and all is well afterwards."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    body = blob("fc", 3000)

    @origin.route("/*")
    def _(req):
        time.sleep(0.05)
        return Reply(body, cc="max-age=60")

    ng = t.nginx(origin, connections=48, workers=1)
    ng.allowed += [r"worker_connections are not enough", r"no live upstreams"]
    for i in range(3):
        rs = ng.swarm([Client(f"/{i}/{k}") for k in range(120)], 5)
        ok(all(r.body == body for r in rs if r.status == 200 and r.complete), f"{i}: right or refused")
    for c in [1]:
        ok(wait_until(lambda: ng.get("/after").body == body, 5, 0.05), "works afterwards")
    is_(ng.quiet(), {}, "nothing leaked")
    conns = [ng.get(f"/x{i}").body == body for i in range(60)]
    is_(set(conns), {True}, "60 one after the other: no connection was lost")
