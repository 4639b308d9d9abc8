#!/usr/bin/env python3
"""strata_valid_min lengthens, strata_valid_max shortens what the origin said."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    origin.reply("/one", Reply(b"1", cc="max-age=1"))
    origin.reply("/long", Reply(b"1", cc="max-age=100000"))
    origin.reply("/nostore", Reply(b"1", cc="no-store"))
    ng = t.nginx(origin, "strata_valid_max 300ms; strata_keep 0; strata_jitter 0;",
                 locations="""
        location /min/ { strata_cache z; strata_valid_min 1h; strata_jitter 0; proxy_pass http://%ORIGIN%/;
            add_header X-Ttl $strata_ttl always; add_header X-Status $strata_status always; }""")
    ng.fill("/long")
    is_(ng.get("/long").cache, "HIT", "max: fresh at first")
    ok(wait_until(lambda: ng.get("/long").cache != "HIT", 2, 0.01), "max: expires early")
    at_most(origin.count("/long"), 2, "max: one more fetch")

    ng.fill("/min/one")
    r = ng.get("/min/one")
    is_(r.cache, "HIT", "min: hit")
    at_least(float(r.get("X-Ttl") or 0), 3500, "min: an hour to go")
    ng.fill("/min/nostore")
    isnt(ng.get("/min/nostore").cache, "HIT", "min does not overrule no-store")
