#!/usr/bin/env python3
"""Every directive that takes a time quotes a bad one."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

TIMES = """strata_valid_min strata_valid_max strata_lock_timeout strata_lock_age
strata_grace strata_keep strata_pass_ttl strata_valid""".split()

with scenario() as t:
    for word in TIMES:
        for bad in "soon", "5x", "-1s", "1m30", "99999999999999999999s":
            if word == "strata_valid" and bad == "1m30":
                continue
            message = t.config_error(only=f"location / {{ {word} {bad}; }}")
            if bad == "1m30" and message is None:
                continue                   # nginx reads it as 1 min 30 s
            like(message or "accepted", f'{word}.*{bad}|{bad}.*{word}',
                 f"{word} {bad}")

    for good in "500ms", "5s", "1m", "1h30m", "2d", "10", "0":
        is_(t.config_error(only=f"location / {{ strata_lock_timeout {good}; "
                                f"strata_grace {good}; strata_keep {good}; }}"),
            None, f"time {good}")
