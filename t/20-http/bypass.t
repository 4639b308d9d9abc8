#!/usr/bin/env python3
"""strata_bypass: the ordinary path, nothing read and nothing stored."""
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

    ng = t.nginx(origin, "strata_bypass $http_x_skip $arg_skip;")
    r = ng.get("/a", headers={"X-Skip": "1"})
    is_((r.cache, r.why, r.body), ("BYPASS", "bypass", b"v1"), "a header that is not empty")
    is_(ng.fill("/a").cache, "MISS", "nothing was stored")
    is_(ng.get("/a").body, b"v2", "hit")
    is_(ng.get("/a", headers={"X-Skip": "yes"}).body, b"v3", "passes by the entry")
    is_(ng.get("/a").body, b"v2", "which stays as it is")
    is_(ng.get("/a", headers={"X-Skip": "0"}).cache, "HIT", '"0" is false')
    is_(ng.get("/a", headers={"X-Skip": ""}).cache, "HIT", "empty is false")
    is_(ng.get("/a?skip=1").cache, "BYPASS", "any of several conditions")
    is_(ng.count("bypass"), 3, "counted")
