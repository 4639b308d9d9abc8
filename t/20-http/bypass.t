#!/usr/bin/env python3
"""strata_bypass, as in nginx: nothing is read, what comes is stored; with strata_no_cache it is not."""
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
        return Reply(f"v{n}".encode(), cc="max-age=60")

    ng = t.nginx(origin, "strata_bypass $http_x_skip $arg_skip; strata_no_cache $http_x_dont;")
    both = {"X-Skip": "1", "X-Dont": "1"}
    r = ng.fill("/a", headers=both)
    is_((r.cache, r.why, r.body), ("BYPASS", "bypass", b"v1"), "with strata_no_cache")
    is_(ng.fill("/a").cache, "MISS", "nothing was stored")
    is_(ng.get("/a").body, b"v2", "hit")
    is_(ng.fill("/a", headers=both).body, b"v3", "passes by the entry")
    is_(ng.get("/a").body, b"v2", "which stays as it is")
    r = ng.fill("/a", headers={"X-Skip": "yes"})
    is_((r.cache, r.why, r.body), ("BYPASS", "bypass", b"v4"), "alone")
    r = ng.get("/a")
    is_((r.cache, r.body), ("HIT", b"v4"), "what came is stored")
    is_(ng.get("/a", headers={"X-Skip": "0"}).cache, "HIT", '"0" is false')
    is_(ng.get("/a", headers={"X-Skip": ""}).cache, "HIT", "empty is false")
    is_(ng.get("/a?skip=1").cache, "BYPASS", "any of several conditions")
    is_(ng.count("bypass"), 4, "counted")

    # clients that bypass do not wait for each other
    rs = ng.swarm([Client("/a", headers={"X-Skip": "1"}) for _ in range(10)])
    is_(len({r.body for r in rs}), 10, "each its own answer")
