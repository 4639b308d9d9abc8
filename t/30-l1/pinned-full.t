#!/usr/bin/env python3
"""T-29: slow readers that pin most of the zone make it pass responses on, not fail."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        return Reply(blob(req.path, 100_000), cc="max-age=60")

    ng = t.nginx(origin, zone="z 1m", socket="sndbuf=16k")
    slow = []
    for i in range(12):
        ng.get(f"/s{i}")
        for _ in range(3):
            c = ng.conn(rcvbuf=8192)
            c.send(build(f"/s{i}"))
            slow.append((i, c))
    time.sleep(0.2)
    note(f"pins {ng.count('pins')}, {ng.count('bytes_used')} of {ng.count('bytes_total')} bytes")
    rs = [ng.get(f"/n{i}") for i in range(30)]
    is_({(r.status, r.complete) for r in rs}, {(200, True)}, "30 others are served")
    is_([r.body == blob(f"/n{i}", 100_000) for i, r in enumerate(rs)], [True] * 30, "right bytes")
    answers = zip([i for i, _ in slow], read_all([c for _, c in slow]))
    bad = [f"/s{i}: {r}" for i, r in answers if r.body != blob(f"/s{i}", 100_000)]
    is_(bad[:3], [], f"the slow readers too ({len(bad)} of {len(slow)} not)")
    for _, c in slow:
        c.close()
    is_(ng.quiet(), {}, "nothing stays pinned")
    ng.fill("/after")
    is_(ng.get("/after").cache, "HIT", "and the zone stores again")
