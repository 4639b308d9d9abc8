#!/usr/bin/env python3
"""F-05, F-06: answers are late, or come bit by bit: p99 of hits unchanged, misses at most 20 ms later, back within 2 s."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
from fault_proxy import FaultProxy
from steady import Steady
import l2

with scenario(90, alone=True) as t:
    redis = l2.server(t)
    proxy = t.keep(FaultProxy(redis.port))
    with Steady(t, proxy.url) as load:
        for name, rules in (("F-05: 200 ms", dict(delay=200)),
                            ("F-05: 20 to 200 ms", dict(delay=20, jitter=180)),
                            ("F-05: 5 to 25 ms", dict(delay=5, jitter=20)),
                            ("F-06: a byte a second", dict(rate=1)),
                            ("F-06: 2 KB a second", dict(rate=2000))):
            with load.fault(name) as f:
                proxy.down(**rules)
                f.hold(1.5)
                proxy.heal()
    share = {f.name: f.share("l2") for f in load.phases}
    at_most(share["F-05: 200 ms"], 0.5, "F-05: nobody waited for what came too late")
    at_most(share["F-06: a byte a second"], 0.6, "F-06: nor for the rest of an answer")
