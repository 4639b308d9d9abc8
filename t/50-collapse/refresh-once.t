#!/usr/bin/env python3
"""Of many clients that find a stale entry at once, in two workers, one causes a refresh."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    n = {}

    @origin.route("/*")
    def _(req):
        n[req.path] = n.get(req.path, 0) + 1
        if n[req.path] > 1:
            time.sleep(0.4)
        return Reply(b"v%d" % n[req.path])

    ng = t.nginx(origin, "strata_valid 2s; strata_valid_max 300ms; strata_grace 1h;")
    for i in range(3):
        p = f"/{i}"
        ng.fill(p)
        time.sleep(0.4)
        rs = ng.swarm([Client(p) for _ in range(100)])
        is_({(r.status, r.body) for r in rs}, {(200, b"v1")}, f"{i}: all get the stale body")
        is_(len({r.pid for r in rs}), 2, f"{i}: from both workers")
        ng.quiet()
        is_(n[p], 2, f"{i}: one refresh")
