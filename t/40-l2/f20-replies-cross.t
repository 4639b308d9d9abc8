#!/usr/bin/env python3
"""F-20: replies that come twice, in another order, damaged, cut: nobody is given what is another's."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
from fault_proxy import FaultProxy
from steady import Steady
import l2

# 10^6 calls of the adapter with random closes: redis-storm.t, make storm
with scenario(120, alone=True) as t:
    redis = l2.server(t)
    proxy = t.keep(FaultProxy(redis.port))
    rng = rnd()
    with Steady(t, proxy.url) as load:
        for name, count, rules in (
                ("twice", "dups", dict(dup=40)),
                ("in another order", "swaps", dict(swap=20)),
                ("bits flipped", "flips", dict(flip=7001)),
                ("many bits flipped", "flips", dict(flip=701)),
                ("cut after some bytes", "cuts", dict(fin=9001)),
                ("reset after some bytes", "cuts", dict(rst=7001)),
                ("half-closed after some bytes", "cuts", dict(half=8009))):
            with load.fault(name) as f:
                before = proxy.stat()
                proxy.down(**rules)
                f.hold(1.2)
                proxy.heal()
                after = proxy.stat()
                at_least(after[count] - before[count], 2, f"{name}: so often")
                if count in ("dups", "swaps"):
                    at_least(after["accepted"] - before["accepted"], 1,
                             f"{name}: it costs the connection")
        with load.fault("commands damaged") as f:
            proxy.up(flip=4001)
            f.hold(1)
            proxy.heal()
        with load.fault("anything") as f:
            for _ in range(20):
                proxy.down(**rng.choice([dict(dup=7), dict(swap=7), dict(flip=4001), dict(rate=1),
                                         dict(fin=3001), dict(drop=1), dict(delay=30), {}]))
                proxy.up(**rng.choice([dict(flip=2001), dict(stall=1), dict(jitter=9), {}]))
                if rng.random() < 0.3:
                    proxy.cut(rng.choice(["fin", "rst", "half"]), 1)
                f.hold(0.1)
            proxy.heal()
        note(f"damaged records: {load.ng.count('l2_damaged')}")
