#!/usr/bin/env python3
"""Values come from the outer block; an inner one replaces them; off switches off."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        return Reply(b"x" * 100)             # no lifetime of its own

    proxy = "proxy_pass http://%ORIGIN%; proxy_http_version 1.1;"
    ng = t.nginx(origin, http="strata_cache z; strata_valid 30s; strata_bypass $arg_b;",
                 only=f"""
        location /plain {{ {proxy} }}
        location /off {{ strata_cache off; {proxy} }}
        location /outer {{
            strata_valid 200 0;
            {proxy}
            location /outer/in {{ strata_valid 30s; {proxy} }}
            location /outer/same {{ {proxy} }}
        }}
        location /bypass {{ strata_bypass $arg_c; {proxy} }}
        """)

    def twice(path):
        ng.fill(path)
        return ng.get(path)

    is_(twice("/plain").cache, "HIT", "http: cache, valid")
    r = twice("/off")
    is_(origin.count("/off"), 2, "off: never cached")
    ok(r.cache in (None, "", "-"), f"off: no status ({r.cache})")
    isnt(twice("/outer/x").cache, "HIT", "location: another strata_valid replaces http's")
    is_(twice("/outer/in/x").cache, "HIT", "nested location: replaces again")
    isnt(twice("/outer/same/x").cache, "HIT", "nested location: inherits")
    is_(twice("/plain?b=1").cache, "BYPASS", "strata_bypass inherited")
    is_(twice("/bypass?b=1").cache, "HIT", "strata_bypass replaced")
    is_(twice("/bypass?c=1").cache, "BYPASS", "by the inner one")
