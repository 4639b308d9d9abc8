#!/usr/bin/env python3
"""Waiters of a response that varies get their own variant: one fetch each, nobody another's."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario(alone=True) as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        time.sleep(0.2)
        return Reply(f"in {req.get('X-Lang')}".encode(), cc="max-age=60", headers=[("Vary", "X-Lang")])

    ng = t.nginx(origin)
    for i in range(3):
        langs = ["de", "fr", "en", "it"]
        rs = ng.swarm([Client(f"/v{i}", headers={"X-Lang": langs[k % 4]}) for k in range(60)])
        is_([r.body == f"in {langs[k % 4]}".encode() for k, r in enumerate(rs)], [True] * 60,
            f"{i}: each its own language")
        at_most(origin.count(f"/v{i}"), 8, f"{i}: few fetches")
        within(max(r.ms for r in rs), 2 * 200 + 150, f"{i}: the slowest")
