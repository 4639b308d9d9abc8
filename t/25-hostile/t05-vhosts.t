#!/usr/bin/env python3
"""Servers that share a zone and an origin do not share entries; locations with the same URL do."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        return Reply((req.get("Host") or "").encode(), cc="max-age=60")

    server = """server { listen 127.0.0.1:%PORT%; server_name {}; location / { strata_cache z;
        proxy_set_header Host $host; proxy_pass http://%ORIGIN%; } }"""
    ng = t.nginx(origin, "proxy_set_header Host $host;",
                 servers="\n".join(server.replace("{}", n, 1) for n in ("a.test", "b.test")))
    for _ in range(3):
        for name in "a.test", "b.test", "localhost":
            is_(ng.fill("/x", host=name).body, name.encode(), name)
    is_(origin.count("/x"), 3, "one fetch each")
