#!/usr/bin/env python3
"""A zone that is taken out, added, or changes hands between locations."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    origin.reply("/*", Reply(b"x", cc="max-age=60"))
    ng = t.nginx(origin, zone=["z 2m", "y 1m"], locations="""
        location /y/ { strata_cache y; proxy_pass http://%ORIGIN%; }""")
    ng.fill("/a"), ng.fill("/y/a")
    ng.write(zone=["z 2m"], locations="location /y/ { strata_cache z; proxy_pass http://%ORIGIN%; }")
    ok(ng.reload(), "one zone less")
    is_(ng.get("/a").cache, "HIT", "the other stays")
    is_(ng.fill("/y/a").cache, "MISS", "its location uses another zone now")
    is_(list(ng.zones()), ["z"], "status")
    ng.write(zone=["z 2m", "w 1m"], locations="location /y/ { strata_cache w; proxy_pass http://%ORIGIN%; }")
    ok(ng.reload(), "one zone more")
    ng.fill("/y/a")
    is_(ng.get("/y/a").cache, "HIT", "a new zone works after a reload")
    ng.write(zone=[], locations="", only="location / { proxy_pass http://%ORIGIN%; }", status=False,
             show=False)
    ng.has_status = False
    ok(ng.reload(), "no zone at all")
    is_(ng.get("/a").body, b"x", "plain nginx")
