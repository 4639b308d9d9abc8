#!/usr/bin/env python3
"""F-04: packets vanish: closed after 2 s, long before the kernel would, back within 2 s."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
from redis_server import Net
from steady import Steady
import l2

with scenario(60, alone=True) as t:
    try:
        net = Net()
    except PermissionError as e:
        skip_all(f"no network namespaces here: {e}")
    redis = l2.server(t, "--protected-mode", "no", net=net)
    t.keep(net)
    with Steady(t, redis.url) as load:
        with load.fault("pulled") as f:
            net.pull()
            ok(wait_until(lambda: l2.instance(load.ng)["connections"] == 0, 5),
               "pulled: the connections are closed")
            within(ms_since(f.began), 2500, "pulled: long before the kernel would")
            f.hold(2)
            net.plug()
        # before anybody has noticed
        with load.fault("pulled for a moment") as f:
            net.pull()
            f.hold(0.2)
            net.plug()
