#!/usr/bin/env python3
"""Zones are apart: their entries, counters and sizes."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    origin.reply("/*", Reply(b"x", cc="max-age=60"))
    ng = t.nginx(origin, zone=["z 2m", "y 1m"], locations="""
        location /y/ { strata_cache y; strata_key same $uri; proxy_pass http://%ORIGIN%; }
        location /z/ { strata_cache z; strata_key same $uri; proxy_pass http://%ORIGIN%; }""")
    for i in range(5):
        ng.fill(f"/y/{i}")
    ng.fill("/z/0")
    is_((ng.count("entries", "z"), ng.count("entries", "y")), (1, 5), "entries")
    is_((ng.count("stores", "z"), ng.count("stores", "y")), (1, 5), "stores")
    ok(ng.count("bytes_total", "z") > ng.count("bytes_total", "y"), "sizes")
    ng.get("/y/0")
    is_((ng.count("hits", "z"), ng.count("hits", "y")), (0, 1), "hits")
