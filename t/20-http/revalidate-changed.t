#!/usr/bin/env python3
"""A validator that no longer matches: the new response replaces the entry. A 304 nobody asked for is no answer."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    version = "1"

    @origin.route("/a")
    def _(req):
        if req.get("If-None-Match") == f'"{version}"':
            return Reply(status=304, headers=[("ETag", f'"{version}"')])
        return Reply(f"v{version}".encode() * 100, headers=[("ETag", f'"{version}"')])

    @origin.route("/odd")
    def _(req):
        return Reply(status=304, headers=[("ETag", '"x"')])

    ng = t.nginx(origin, "strata_valid 100ms;")
    ng.fill("/a")
    for v in "2", "3":
        version = v
        time.sleep(0.2)
        r = ng.get("/a")
        is_((r.status, r.cache, r.body), (200, "EXPIRED", f"v{v}".encode() * 100), f"v{v}: new body")
        is_(ng.get("/a").body, f"v{v}".encode() * 100, f"v{v}: stored")
        is_(ng.get("/a").get("ETag"), f'"{v}"', f"v{v}: its ETag")

    r = ng.fill("/odd")
    ok(r.status in (502, 304), f"a 304 to a plain request ({r.status})")
    r = ng.fill("/odd")
    isnt(r.cache, "HIT", "is not stored")
