#!/usr/bin/env python3
"""F-03: Redis hangs: who waits goes on at strata_l2_timeout (20 ms), late replies reach nobody, back within 2 s."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
from steady import Steady
import l2

with scenario(60, alone=True) as t:
    redis = l2.server(t, "--enable-debug-command", "local")
    with Steady(t, redis.url) as load:
        with load.fault("stopped") as f:
            redis.stop()
            f.hold(3)
            redis.go_on()
        with load.fault("asleep") as f:
            c = redis.client(20)
            c.send("DEBUG", "SLEEP", "2")
            f.hold(2)
            c.read()
            c.close()
