#!/usr/bin/env python3
"""Directives that may stand once in a block, stand twice."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

ONCE = """
strata_cache z
strata_key_args none
strata_valid_min 1s
strata_valid_max 1s
strata_jitter 5%
strata_methods GET
strata_lock off
strata_lock_timeout 1s
strata_lock_age 1s
strata_lock_max_waiters 5
strata_grace 1s
strata_keep 1s
strata_background_update on
strata_revalidate on
strata_pass_ttl 1s
strata_max_object 1m
strata_min_uses 2
strata_set_cookie strip
strata_purge_mode delete
strata_age on
strata_cache_status on
"""

with scenario() as t:
    for line in ONCE.strip().splitlines():
        word = line.split()[0]
        message = t.config_error(only=f"location / {{ {line}; {line}; }}")
        like(message or "accepted", f'"{word}" directive is duplicate', word)
