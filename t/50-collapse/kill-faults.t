#!/usr/bin/env python3
"""
A worker dies at each fault point of the store in turn, under load: the lock of the dead is
healed, no wrong byte, every key served within 250 ms + the new fetch, nothing leaked.
"""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "stress"))
import faults
import kill_battery

reason = faults.built()
if reason:
    skip_all(reason)

with scenario(120) as t:
    kill_battery.run_faults(t, faults)
