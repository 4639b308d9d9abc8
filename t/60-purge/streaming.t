#!/usr/bin/env python3
"""PURGE of an entry that clients are reading: they get it whole, the next one gets the new."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    n = 0

    @origin.route("/a")
    def _(req):
        global n
        n += 1
        return Reply(blob(n, 700_000), cc="max-age=60")

    ng = t.nginx(origin, "strata_purge 1;")
    for i in range(5):
        ng.fill("/a")
        k = n
        box = in_thread(ng.swarm, [Client("/a", slow=(20_000, 0.005)) for _ in range(10)])
        time.sleep(0.05)
        is_(ng.purge("/a").status, 200, f"{i}: PURGE")
        is_(ng.get("/a").body == blob(k + 1, 700_000), True, f"{i}: the new one")
        is_({r.body == blob(k, 700_000) for r in box.join()}, {True}, f"{i}: the readers get the old one whole")
