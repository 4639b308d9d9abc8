#!/usr/bin/env python3
"""strata_jitter spreads lifetimes downwards, within its bounds."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    origin.reply("/*", Reply(b"1", cc="max-age=1000"))
    ng = t.nginx(origin, http="add_header X-Ttl $strata_ttl always;",
                 location="strata_jitter 50%;", locations="""
        location /none/ { strata_cache z; strata_jitter 0; proxy_pass http://%ORIGIN%; }
        location /add/ { strata_cache z; strata_jitter 100s add; proxy_pass http://%ORIGIN%; }
        location /abs/ { strata_cache z; strata_jitter 100s; proxy_pass http://%ORIGIN%; }
        location /default/ { strata_cache z; proxy_pass http://%ORIGIN%; }""")

    def ttls(prefix):
        found = []
        for i in range(30):
            ng.fill(f"{prefix}{i}")
            r = ng.get(f"{prefix}{i}")
            found.append(float(r.get("X-Ttl") or -1))
        return found

    for prefix, low, high, spread in (("/", 498, 1000, 100), ("/abs/", 898, 1000, 20),
                                      ("/default/", 948, 1000, 10)):
        v = ttls(prefix)
        ok(low <= min(v) and max(v) <= high, f"{prefix}: {min(v)} to {max(v)} within {low}..{high}")
        at_least(max(v) - min(v), spread, f"{prefix}: spread")
    v = ttls("/none/")
    ok(min(v) >= 997 and max(v) <= 1000, f"0: all the same ({min(v)} to {max(v)})")
    v = ttls("/add/")
    at_most(max(v), 1000, "add: never lengthens a lifetime of the origin")
