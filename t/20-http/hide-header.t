#!/usr/bin/env python3
"""strata_hide_header keeps fields out of what is stored; proxy_hide_header is respected."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    origin.reply("/a", Reply(b"x", cc="max-age=60", headers=[
        ("X-Debug", "1"), ("X-Internal", "2"), ("x-debug", "3"), ("X-Public", "4"), ("X-Nginx", "5")]))
    ng = t.nginx(origin, http="strata_hide_header X-Debug X-Internal;",
                 location="proxy_hide_header X-Nginx;", locations="""
        location /in { strata_cache z; strata_hide_header X-Public; proxy_pass http://%ORIGIN%/a; }
        location /pass { strata_cache z; strata_pass_header X-Debug; proxy_pass http://%ORIGIN%/a; }""")
    for i in range(2):
        r = ng.fill("/a")
        is_([r.get(n) for n in ("X-Debug", "X-Internal", "X-Public", "X-Nginx")],
            [None, None, "4", None], f"hidden ({r.cache})")
    is_(r.cache, "HIT", "that was a hit")
    ng.fill("/in")
    r = ng.get("/in")
    is_((r.cache, r.get("X-Public"), r.get("X-Debug")), ("HIT", None, "1"), "an inner list replaces it")
    ng.fill("/pass")
    r = ng.get("/pass")
    is_((r.cache, r.all("X-Debug"), r.get("X-Internal")), ("HIT", ["1", "3"], None),
        "strata_pass_header lets one through")
