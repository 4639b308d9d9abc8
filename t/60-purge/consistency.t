#!/usr/bin/env python3
"""Reads, purges and faults of Redis, its connections and the workers: nobody is shown what was purged before."""
import pathlib, sys
HERE = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(HERE / "lib"), str(HERE / "check")]
from strata import *
import checker

with scenario(90) as t:
    checker.verify(t, checker.seed(), 5, "log", nodes=2, quiet=1, readers=24, at_least=(1500, 40))
