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
    for line in ("strata_lock_max_waiters 0", "strata_lock_max_waiters 4294967296",
                 "strata_min_uses 0", "strata_min_uses 256"):
        message = t.config_error(only=f"location / {{ {line}; }}")
        like(message or "accepted", 'invalid value "%s" in "%s"' % (line.split()[1], line.split()[0]),
             f"{line}: out of range")
    is_(t.config_error(only="location / { strata_min_uses 255; }"), None, "as many as are counted")
    is_(t.config_error(only="location / { strata_lock_max_waiters 5; strata_min_uses 3; "
                            "strata_max_object 64k; }"), None, "good ones")
