#!/usr/bin/env python3
"""grpc_pass behind the cache, to an HTTP/2 listener of the same nginx."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    body = b"g" * 30_000
    ng = t.nginx(only="""location / { strata_cache z; strata_cache_status on; grpc_pass 127.0.0.1:%BACK%; }""",
                 servers="""server { listen 127.0.0.1:%BACK% http2;
        root %DIR%/html; access_log %DIR%/backend.log;
        location / { add_header Cache-Control max-age=60; add_header X-Id $request_id; }
        location /private/ { add_header Cache-Control private; add_header X-Id $request_id; } }""",
                 start=False)
    for name in "a", "private/a", "cold":
        ng.file(f"html/{name}", body)
    ng.start()
    r = ng.fill("/a")
    is_((r.status, r.body == body, r.cache), (200, True, "MISS"), "miss")
    first = r.get("X-Id")
    for i in range(5):
        r = ng.get("/a")
        is_((r.body == body, r.cache, r.get("X-Id")), (True, "HIT", first), f"hit {i}")
    ids = {ng.fill("/private/a").get("X-Id") for _ in range(3)}
    is_(len(ids), 3, "private is not stored")
    rs = ng.swarm([Client("/cold") for _ in range(40)])
    is_({r.body == body for r in rs}, {True}, "40 at once")
    wait_until(lambda: len(open(f"{ng.dir}/backend.log").readlines()) >= 5, 1)
    is_(open(f"{ng.dir}/backend.log").read().count("GET /cold"), 1, "one fetch")
    is_(ng.request("/a", "POST", body=b"x").status, 405, "POST goes through")
