#!/usr/bin/env python3
"""F-09 with Sentinel: a failover by hand, a master that dies: no 5xx, a purge is 503 meanwhile."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
from redis_sentinel import Group
from steady import KEYS, Steady

with scenario(120, alone=True) as t:
    group = t.keep(Group())
    with Steady(t, f"{group.urls} mode=sentinel master={group.name}",
                location="strata_purge on;") as load:
        ng = load.ng
        ng.allowed.append("purge failed")
        with load.fault("a failover by hand") as f:
            at_least(group.master("DBSIZE"), KEYS, "filled, at the master")
            group.failover()
        group.settle()
        with load.fault("the master dies") as f:
            old = group.kill()
            is_(ng.purge("/cold/0").status, 503, "no master: a purge is refused")
            group.took_over(old)
            old.start()
        is_(ng.purge("/cold/1").status, 200, "a purge works again")
    at_most(f.share("l2"), 0.95, "the master dies: L2 was away")
