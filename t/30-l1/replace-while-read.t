#!/usr/bin/env python3
"""A reader keeps the entry it started with, through refresh, purge and eviction."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    n = 0

    def version(k):
        return blob(f"v{k}", 800_000)

    @origin.route("/a")
    def _(req):
        global n
        n += 1
        return Reply(version(n), cc="max-age=60")

    @origin.route("/f/*")
    def _(req):
        return Reply(blob(req.path, 500_000), cc="max-age=60")

    ng = t.nginx(origin, "strata_purge 1;", zone="z 8m",
                 socket="sndbuf=16k")
    ng.fill("/a")
    slow = [ng.conn(rcvbuf=4096) for _ in range(10)]
    for c in slow:
        c.send(build("/a"))
    ok(wait_until(lambda: (ng.count("readers") or 0) >= 10, 3), "ten slow readers of v1")
    is_(ng.purge("/a").status, 200, "purged")
    ng.fill("/a")
    is_(ng.get("/a").body == version(2), True, "v2 for others")
    for i in range(60):                       # several times the zone
        r = ng.get(f"/f/{i}")
        if r.status != 200 or r.body != blob(f"/f/{i}", 500_000):
            ok(False, f"flood {i}: {r}")
            break
    else:
        ok(True, "the flood is served")
    bodies = [r.body for r in read_all(slow)]
    is_([b == version(1) for b in bodies], [True] * 10, "the slow readers get all of v1")
    for c in slow:
        c.close()
    is_(ng.quiet(), {}, "and let go of it")
