#!/usr/bin/env python3
"""F-09: the server has become a replica: it is read as long as it may be, writes and purges fail."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
from steady import Steady
import l2

# with sentinels, who name another one: f09-failover.t
with scenario(60, alone=True) as t:
    redis = l2.server(t)
    with Steady(t, redis.url, location="strata_purge on;") as load:
        ng = load.ng
        with load.fault("read-only") as f:
            redis("REPLICAOF", "127.0.0.1", 1)
            time.sleep(0.3)
            stores = ng.count("l2_stores")
            f.hold(1.5)
            is_(ng.count("l2_stores"), stores, "read-only: nothing is stored")
            r = ng.purge("/cold/0")
            is_((r.status, r.get("X-Reason")), (503, "l2-error"), "read-only: a purge is refused")
            redis("REPLICAOF", "NO", "ONE")
        is_(ng.purge("/cold/0").status, 200, "a purge works again")
        ok(wait_until(lambda: ng.count("l2_stores") > stores, 2), "and stores")
        ng.allowed.append("purge failed")
    at_least(f.share("l2"), 0.95, "read-only: what is there is read")
