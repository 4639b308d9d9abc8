#!/usr/bin/env python3
"""F-07: Redis is full and may not evict: it is still read, stores are skipped, a purge is 503."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
from steady import Steady
import l2

with scenario(60, alone=True) as t:
    redis = l2.server(t, "--maxmemory-policy", "noeviction")
    with Steady(t, redis.url, location="strata_purge on;") as load:
        ng = load.ng
        with load.fault("full") as f:
            redis("CONFIG", "SET", "maxmemory", "1mb")
            time.sleep(0.3)
            stores = ng.count("l2_stores")
            f.hold(1.5)
            is_(ng.count("l2_stores"), stores, "full: nothing is stored")
            r = ng.purge("/cold/0")
            is_((r.status, r.get("X-Reason")), (503, "l2-error"), "full: a purge is refused")
            like(r.body.decode(), '"failed":"l2-error"', "full: and says why")
            is_(l2.instance(ng)["breaker"], "closed", "full: that is no reason not to ask")
            redis("CONFIG", "SET", "maxmemory", "0")
        is_(ng.purge("/cold/0").status, 200, "a purge works again")
        ok(wait_until(lambda: ng.count("l2_stores") > stores, 2), "and stores")
        ng.allowed.append("purge failed")
    at_least(f.share("l2"), 0.95, "full: what is there is read")
