#!/usr/bin/env python3
"""F-21: origin gone, stale is served; back again, fresh within 2 s."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario(alone=True) as t:
    origin = t.origin()
    n = 0

    @origin.route("/a")
    def _(req):
        global n
        n += 1
        return Reply(f"v{n}".encode())

    ng = t.nginx(origin, "strata_valid 100ms; strata_grace 1h;")
    ng.fill("/a")
    time.sleep(0.2)
    origin.down()
    rs = [ng.get("/a") for _ in range(20)]
    is_({(r.status, r.body) for r in rs}, {(200, b"v1")}, "20 answers while it is down: stale")
    ok(all(r.cache in ("STALE", "UPDATING") for r in rs), "said so")
    within(max(r.ms for r in rs), 100, "none of them waits")
    is_(ng.get("/cold").status, 502, "a cold key: 502")
    origin.up()
    start = time.monotonic()
    ok(wait_until(lambda: ng.get("/a").body != b"v1", 5, 0.02), "fresh again")
    within(ms_since(start), 2000, "soon after it is back")
    is_(ng.get("/cold").status, 404, "the cold key too")
