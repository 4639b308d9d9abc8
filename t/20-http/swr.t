#!/usr/bin/env python3
"""stale-while-revalidate of the response works without strata_grace; must-revalidate forbids it."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    n = {}

    def route(name, cc):
        @origin.route(f"/{name}")
        def _(req):
            n[name] = n.get(name, 0) + 1
            return Reply(f"v{n[name]}".encode(), cc=cc)

    route("swr", "max-age=60, stale-while-revalidate=60")
    route("must", "max-age=60, stale-while-revalidate=60, must-revalidate")
    route("proxy", "max-age=60, proxy-revalidate")
    route("smax", "s-maxage=60")
    ng = t.nginx(origin, "strata_valid_max 150ms;", locations="""
        location /g/ { strata_cache z; strata_valid_max 150ms; strata_grace 1h; proxy_pass http://%ORIGIN%/; }""")
    for path in "/swr", "/must", "/g/proxy", "/g/smax", "/g/must":
        n.clear()
        ng.fill(path)
        time.sleep(0.25)
        r = ng.get(path)
        if path == "/swr":
            ok(r.cache in ("UPDATING", "STALE"), f"{path}: stale ({r.cache})")
            is_(r.body, b"v1", f"{path}: old body")
            ok(wait_until(lambda: ng.get(path).body != b"v1", 2, 0.01), f"{path}: refreshed")
        else:
            ok(r.cache in ("EXPIRED", "MISS"), f"{path}: not stale ({r.cache})")
            is_(r.body, b"v2", f"{path}: new body")
