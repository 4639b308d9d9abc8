#!/usr/bin/env python3
"""X-Accel-Redirect from the origin: the right file, cached or not, never mixed up."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    a, b = blob("a", 50_000), blob("b", 50_000)

    @origin.route("/get/*")
    def _(req):
        return Reply(b"not this", cc="max-age=60", headers=[
            ("X-Accel-Redirect", "/files/" + req.path.rsplit("/", 1)[1])])

    @origin.route("/named")
    def _(req):
        return Reply(b"not this", headers=[("X-Accel-Redirect", "@other")])

    ng = t.nginx(origin, locations="""
        location /files/ { internal; root %DIR%; }
        location /cfiles/ { internal; strata_cache z; strata_valid 1h; alias %DIR%/files/; }
        location @other { return 200 other; }""")
    ng.file("files/a", a), ng.file("files/b", b)
    for i in range(3):
        for name, body in ("a", a), ("b", b):
            r = ng.fill(f"/get/{name}")
            is_((r.status, r.body == body), (200, True), f"{name} {i}: the file ({r.cache})")
            is_(r.get("X-Accel-Redirect"), None, f"{name} {i}: the field is not for clients")
        is_(ng.fill("/get/none").status, 404, f"none {i}: 404")
        is_(ng.fill("/named").body, b"other", f"named {i}")
    is_(ng.get("/files/a").status, 404, "internal stays internal")
    rs = ng.swarm([Client(f"/get/{'ab'[i % 2]}") for i in range(30)])
    is_([r.body == (a, b)[i % 2] for i, r in enumerate(rs)], [True] * 30, "30 at once")
    r = ng.get("/get/a", headers={"Range": "bytes=5-9"})
    ok(r.status in (200, 206) and (r.body == a[5:10] or r.body == a), f"range ({r.status})")
