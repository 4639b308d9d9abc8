#!/usr/bin/env python3
"""Origin cuts the body half way, 20 clients: at most 2 fetches, nothing stored, nobody takes a short body for whole."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario(alone=True) as t:
    origin = t.origin()
    body = blob("t20", 60_000)

    def cut(path, **kw):
        @origin.route(path)
        def _(req):
            time.sleep(0.2)
            return Reply(body, cc="max-age=60", cut=30_000, **kw)

    cut("/cl"), cut("/chunked", chunked=True), cut("/reset", reset=True)
    cut("/drip", drip=(6_000, 0.05))
    cut("/drip-chunked", drip=(6_000, 0.05), chunked=True)
    ng = t.nginx(origin)
    for path in "/cl", "/chunked", "/reset", "/drip", "/drip-chunked":
        rs = ng.swarm([Client(path) for _ in range(20)])
        is_(sum(r.complete and r.status == 200 for r in rs), 0, f"{path}: nobody has a complete 200")
        ok(all(r.status in (None, 200, 502) for r in rs), f"{path}: {sorted({str(r.status) for r in rs})}")
        ok(all(body.startswith(r.body) for r in rs if r.status == 200), f"{path}: what came is right")
        at_most(origin.count(path), 2, f"{path}: origin fetches")
        once = 200 + (250 if "drip" in path else 0)
        within(max(r.ms for r in rs), 2 * once + 150, f"{path}: the slowest")
        ng.quiet()
    is_(ng.count("stores"), 0, "nothing stored")
    is_(ng.count("entries"), 0, "no entry left")
    at_least(ng.count("fetch_errors"), 5, "counted")
