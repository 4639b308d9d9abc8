#!/usr/bin/env python3
"""charset, addition, mirror, gunzip, realip, limit_rate, limit_conn, userid: with hits and misses."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

import gzip

with scenario() as t:
    origin = t.origin()
    page = b"page " + text("mm", 4000)
    origin.reply("/*", Reply(page, cc="max-age=60", type="text/html"))
    origin.reply("/gz", Reply(gzip.compress(page), cc="max-age=60", type="text/html",
                              headers=[("Content-Encoding", "gzip")]))
    origin.reply("/foot", Reply(b"footer", cc="max-age=60"))
    origin.reply("/redir", Reply(b"", 301, cc="max-age=60", headers=[("Location", "http://%s/x" % origin.address)]))
    origin.reply("/slow", Reply(text("slow", 60_000), cc="max-age=60"))
    ng = t.nginx(origin, http="limit_conn_zone $uri zone=lc:1m;", locations="""
        location = /charset { strata_cache z; charset utf-8; proxy_pass http://%ORIGIN%; }
        location = /addition { strata_cache z; addition_types *; add_after_body /foot; proxy_pass http://%ORIGIN%; }
        location = /mirrored { strata_cache z; mirror /-mirror; proxy_pass http://%ORIGIN%; }
        location = /-mirror { internal; proxy_pass http://%ORIGIN%/mirror; }
        location = /gz { strata_cache z; gunzip on; proxy_pass http://%ORIGIN%; }
        location = /slow { strata_cache z; limit_rate 50k; proxy_pass http://%ORIGIN%; }
        location = /one { strata_cache z; limit_conn lc 1; limit_rate 50k; proxy_pass http://%ORIGIN%/slow; }
        location = /uid { strata_cache z; userid on; userid_name u; proxy_pass http://%ORIGIN%; }
        location = /ct { strata_cache z; default_type text/x; etag off; proxy_pass http://%ORIGIN%; }
        location = /redir { strata_cache z; proxy_redirect http://%ORIGIN%/ /y/; proxy_pass http://%ORIGIN%; }""")
    for i in range(3):
        r = ng.fill("/charset")
        is_((r.body == page, r.get("Content-Type")), (True, "text/html; charset=utf-8"), f"charset {i}")
        is_(ng.fill("/addition").body == page + b"footer", True, f"addition {i}")
        is_(ng.fill("/mirrored").body == page, True, f"mirror {i}")
        is_(ng.fill("/gz").body == page, True, f"gunzip {i}")
        is_(ng.fill("/gz", headers={"Accept-Encoding": "gzip"}).get("Content-Encoding"), "gzip", f"gzip kept {i}")
        r = ng.fill("/slow")
        ok(r.body == text("slow", 60_000) and r.ms > 80, f"limit_rate {i}: {r.ms:.0f} ms")
        ids = ng.fill("/uid").all("Set-Cookie")
        is_(len(ids), 1, f"userid {i}: a cookie of nginx")
        is_(ng.fill("/redir").get("Location"), f"http://localhost:{ng.port}/y/x", f"proxy_redirect {i}")
    is_(origin.count("/charset"), 1, "one fetch")
    ng.fill("/one")
    rs = ng.swarm([Client("/one") for _ in range(5)])
    is_(sorted({r.status for r in rs}), [200, 503], "limit_conn holds on hits")
    is_(len({ng.fill("/uid").get("Set-Cookie") for _ in range(4)}), 4, "userid: each client another")
