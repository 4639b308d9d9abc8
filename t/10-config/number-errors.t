#!/usr/bin/env python3
"""Directives that take a number or a size quote a bad one."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    for word in "strata_lock_max_waiters", "strata_min_uses", "strata_max_object":
        for bad in "many", "-1", "1.5", "99999999999999999999999":
            message = t.config_error(only=f"location / {{ {word} {bad}; }}")
            like(message or "accepted", f"{word}.*{bad}|{bad}.*{word}", f"{word} {bad}")
    message = t.config_error(only="location / { strata_min_uses 0; }")
    ok(message is None or "strata_min_uses" in message, "strata_min_uses 0: clear either way")
    is_(t.config_error(only="location / { strata_lock_max_waiters 5; strata_min_uses 3; "
                            "strata_max_object 64k; }"), None, "good ones")
