#!/usr/bin/env python3
"""F-01: no Redis at the start: nginx starts, a line for each change, in use within 1 s of Redis' start."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
from redis_server import Server
from steady import Steady

with scenario(60, alone=True) as t:
    redis = t.keep(Server(start=False))
    with Steady(t, redis.url, warm=False) as load:
        # its connection within 1 s; a record is written by then, and read
        with load.fault("away", back_ms=1000) as f:
            f.hold(2)
            redis.start()
        log = load.ng.log
        at_most(len(log("is down")), 2, "one line of each worker when it is away")
        at_most(len(log("is up")), 2, "one when it is there")
        is_(log(r"\[(error|alert|crit)\]"), [], "and no errors")
