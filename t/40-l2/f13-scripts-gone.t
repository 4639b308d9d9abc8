#!/usr/bin/env python3
"""F-13: Redis forgets the scripts, again and again: who stores loads them, once for each connection."""
import pathlib, re, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
from steady import Steady
import l2

FLUSHES = 10

with scenario(60, alone=True) as t:
    redis = l2.server(t)
    with Steady(t, redis.url) as load:
        ng = load.ng
        with load.fault("flushed") as f:
            redis("CONFIG", "RESETSTAT")
            before = ng.status()
            for _ in range(FLUSHES):
                redis("SCRIPT", "FLUSH")
                f.hold(0.1)
            time.sleep(0.2)
            loads = int(re.search(rb"script\|load:calls=(\d+)",
                                  redis("INFO", "commandstats"))[1])
            after = ng.status()
        at_least(loads, FLUSHES, "flushed: scripts are loaded")
        at_most(loads, FLUSHES * 4, "flushed: once for each of four connections")
        at_least(after["l2_stores"] - before["l2_stores"], 200 / SLOW, "flushed: stores go on")
        is_(after["l2_write_errors"] - before["l2_write_errors"], 0, "flushed: none has failed")
        is_(ng.log("NOSCRIPT"), [], "flushed: nobody hears of it")
    at_least(f.share("l2"), 0.95, "flushed: reads go on")
