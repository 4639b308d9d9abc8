#!/usr/bin/env python3
"""allow, deny, auth_basic, satisfy and limit_req hold for hits as for misses."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

import base64

with scenario() as t:
    origin = t.origin()
    origin.reply("/*", Reply(b"page", cc="public, max-age=60"))
    ng = t.nginx(origin, http="limit_req_zone $uri zone=lr:1m rate=1r/s;", locations="""
        location /deny/ { deny 127.0.0.1; strata_cache z; proxy_pass http://%ORIGIN%/; }
        location /basic/ { auth_basic r; auth_basic_user_file %DIR%/users; strata_cache z;
            strata_key_identity off; proxy_pass http://%ORIGIN%/; }
        location /limit/ { limit_req zone=lr burst=2 nodelay; limit_req_status 429; strata_cache z;
            proxy_pass http://%ORIGIN%/; }
        location /same/ { strata_cache z; strata_key same; proxy_pass http://%ORIGIN%/; }
        location /same-denied/ { deny all; strata_cache z; strata_key same; proxy_pass http://%ORIGIN%/; }
        """)
    ng.file("users", "alice:{PLAIN}pw\n")
    auth = {"Authorization": "Basic " + base64.b64encode(b"alice:pw").decode()}
    is_(ng.fill("/basic/a", headers=auth).status, 200, "auth_basic: fill")
    for i in range(5):
        r = ng.get("/basic/a")
        is_((r.status, b"page" in r.body), (401, False), "auth_basic: no hit without it")
    is_(ng.get("/basic/a", headers=auth).body, b"page", "auth_basic: with it")
    is_(origin.count("/a"), 1, "one fetch")
    is_(ng.get("/deny/a").status, 403, "deny")
    ng.fill("/same/a")
    is_(ng.get("/same/a").cache, "HIT", "an entry that two locations share")
    is_(ng.get("/same-denied/a").status, 403, "deny on a hit")
    codes = [ng.get("/limit/a").status for _ in range(10)]
    is_(codes[:3], [200, 200, 200], "limit_req: the burst")
    at_least(codes.count(429), 6, "limit_req: hits are limited")
