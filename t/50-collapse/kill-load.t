#!/usr/bin/env python3
"""
Random SIGKILLs under load for some seconds: no wrong byte, no stuck key, nothing leaked.
The long version is t/stress/kill_battery.py.
"""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "stress"))
import kill_battery

with scenario() as t:
    kill_battery.run(t, seconds=8, zone="z 2m")
