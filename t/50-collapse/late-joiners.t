#!/usr/bin/env python3
"""Clients that come at every moment of a fetch all share it."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    body = blob("lj", 300_000)

    @origin.route("/*")
    def _(req):
        time.sleep(0.15)
        return Reply(body, cc="max-age=60", drip=(15_000, 0.01), chunked=req.path.startswith("/ch"))

    ng = t.nginx(origin)
    for i, kind in enumerate(("cl", "ch") * 3):
        path = f"/{kind}{i}"
        rs = ng.swarm([Client(path, start=k * 0.005) for k in range(100)])
        is_({(r.status, r.complete, r.body == body) for r in rs}, {(200, True, True)}, f"{path}: 100 whole")
        is_(origin.count(path), 1, f"{path}: one fetch")
