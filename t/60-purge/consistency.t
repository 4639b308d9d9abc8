#!/usr/bin/env python3
"""Reads, purges and faults of Redis, its connections and the workers: nobody is shown what was purged before."""
import pathlib, sys
HERE = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(HERE / "lib"), str(HERE / "check")]
from strata import *
import checker

with scenario(90) as t:
    number = checker.seed()
    for mode in "log", "both":
        checker.verify(t, number, 4, mode, nodes=2, quiet=0.5, readers=24, at_least=(100, 5))
        t.finish()
