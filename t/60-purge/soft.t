#!/usr/bin/env python3
"""Soft purge: stale at once, served while one refresh runs, revalidated with its validator."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    n = 0

    @origin.route("/*")
    def _(req):
        global n
        n += 1
        if req.get("If-None-Match") == '"e"' and req.path == "/same":
            return Reply(status=304, headers=[("ETag", '"e"')])
        if n > 1:
            time.sleep(0.15)
        return Reply(b"v%d" % n, cc="max-age=60", headers=[("ETag", '"e"')] if req.path == "/same" else [])

    ng = t.nginx(origin, "strata_purge 1; strata_grace 1h;", locations="""
        location /soft/ { strata_cache z; strata_purge 1; strata_purge_mode invalidate; strata_grace 1h;
                          proxy_pass http://%ORIGIN%; }
        location /nograce/ { strata_cache z; strata_purge 1; strata_purge_mode invalidate;
                          proxy_pass http://%ORIGIN%; }""")
    for path, headers in ("/a", {"X-Purge": "invalidate"}), ("/soft/a", {}):
        n = 0
        ng.fill(path)
        r = ng.purge(path, headers=headers)
        is_(r.status, 200, f"{path}: PURGE")
        r = ng.get(path)
        is_((r.status, r.body), (200, b"v1"), f"{path}: the old body, at once")
        ok(r.cache in ("UPDATING", "STALE"), f"{path}: says it is stale ({r.cache})")
        ok(wait_until(lambda: ng.get(path).body == b"v2", 3, 0.01), f"{path}: then the new one")
        is_(n, 2, f"{path}: one refresh")
    n = 0
    ng.fill("/soft/b")
    is_(ng.purge("/soft/b", headers={"X-Purge": "delete"}).status, 200, "X-Purge: delete overrides the mode")
    r = ng.fill("/soft/b")
    is_((r.cache, r.body), ("MISS", b"v2"), "gone")
    is_(ng.purge("/soft/never").status, 404, "404 for what was not there")
    n = 0
    ng.fill("/nograce/a")
    ng.purge("/nograce/a")
    r = ng.get("/nograce/a")
    is_(r.body, b"v2", "without grace: the client waits for the new one")
    n = 0
    ng.fill("/same")
    ng.purge("/same", headers={"X-Purge": "invalidate"})
    ng.get("/same")
    ng.quiet()
    is_(origin.last("/same").get("If-None-Match"), '"e"', "the refresh is conditional")
    is_(ng.get("/same").body, b"v1", "and keeps the body")
    r = ng.purge("/same", headers={"X-Purge": "nonsense"})
    ok(r.status in (400, 404, 200), f"an unknown mode ({r.status})")
