#!/usr/bin/env python3
"""F-02: Redis dies, or its connections do, by FIN, RST or half: who waits goes on within 5 ms, back within 1 s."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
from fault_proxy import FaultProxy
from steady import Steady
import l2

with scenario(90, alone=True) as t:
    redis = l2.server(t)
    with Steady(t, redis.url) as load:
        with load.fault("killed", back_ms=1000) as f:
            redis.kill()
            f.hold(1)
            redis.start()

    proxy = t.keep(FaultProxy(redis.port))
    with Steady(t, proxy.url) as load:
        for how in "fin", "rst", "half":
            with load.fault(how, back_ms=1000) as f:
                at_least(proxy.cut(how), 4, f"{how}: all connections are cut")
                f.hold(0.2)
                for _ in range(5):
                    proxy.cut(how)         # what has come back since
                    f.hold(0.2)

    # look-ups that have much more time than this; what a miss takes without Redis comes off
    origin = t.origin()
    origin.route("/*")(lambda req: Reply(b"hello", cc="max-age=60"))
    a, = l2.gateways(t, origin, f"{proxy.url} timeout=5s", "strata_l2_timeout 5s;", n=1,
                     workers=1)
    a.allowed.append("strata")
    took = []
    for i in range(3):
        for how in "fin", "rst", "half":
            l2.ready(a)
            proxy.down(stall=1)
            th = in_thread(a.get, f"/{how}{i}")
            wait_until(lambda: l2.instance(a)["in_flight"])
            cut = time.monotonic()
            proxy.cut(how)
            r = th.join()
            is_((r.status, r.get("X-Reason"), r.body), (200, "l2-down", b"hello"),
                f"{how}: who waits asks the origin")
            took.append((r.end_at - cut) * 1000)
            proxy.heal()
    proxy.listen(False)
    proxy.cut("rst")
    plain = [a.get(f"/plain{i}").ms for i in range(9)]
    note(f"after the cut {sorted(took)[4]:.1f} ms, without Redis {sorted(plain)[4]:.1f} ms")
    within(sorted(took)[4] - sorted(plain)[4], 5, "who waits goes on after the FIN")
