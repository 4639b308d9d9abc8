#!/usr/bin/env python3
"""add_header and expires are evaluated for each answer, hit or not."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    origin.reply("/a", Reply(b"x", cc="max-age=60"))
    origin.reply("/private", Reply(b"x", cc="private"))
    origin.reply("/404", Reply(b"x", 404, cc="max-age=60"))
    ng = t.nginx(origin, """add_header X-Arg $arg_x; add_header X-Always $request_id always;
        add_header X-Status $strata_status always; strata_key $uri; """)
    ids = set()
    for path in "/a", "/private", "/404":
        for i in range(3):
            r = ng.fill(f"{path}?x={i}")
            is_(r.get("X-Arg"), None if path == "/404" else str(i), f"{path} {i}: its own argument ({r.cache})")
            is_(len(r.all("X-Always")), 1, f"{path} {i}: once")
            ids.add(r.get("X-Always"))
    is_(len(ids), 9, "each evaluated anew")
    is_(origin.count("/a"), 1, "one fetch")

    ng2 = t.nginx(origin, locations="""
        location /e/ { strata_cache z; expires 1h; proxy_pass http://%ORIGIN%/; }""")
    for i in range(2):
        r = ng2.fill("/e/a")
        like(", ".join(r.all("Cache-Control")), "max-age=3600", f"expires {i}")
    is_(ng2.get("/e/a").body, b"x", "body")
