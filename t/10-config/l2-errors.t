#!/usr/bin/env python3
"""Directives of L2: errors quote the value, unknown names are found, inheritance and off."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

REDIS = "strata_redis r redis://127.0.0.1:1; strata_redis s redis://127.0.0.1:1;"
WRONG = """\
strata_l1 maybe
strata_l1_ttl soon
strata_l2 nobody
strata_l2_timeout 0
strata_l2_timeout off
strata_l2_timeout fast
strata_l2_fail never
strata_l2_write later
strata_l2_max_size big
strata_l2_compress lz4
strata_l2_compress zstd max=1k
strata_l2_compress zstd min=0
strata_l2_compress zstd min=x
strata_l2_breaker failures=0
strata_l2_breaker failures=x
strata_l2_breaker window=0
strata_l2_breaker open=q
strata_l2_breaker half=1
strata_lock planet"""

with scenario() as t:
    for line in WRONG.splitlines():
        word, *args = line.split()
        message = t.config_error(http=REDIS, location=line + ";") or "accepted"
        like(message, word, f"{line}: names the directive")
        like(message, args[-1], f"{line}: quotes the value")

    for good in ("strata_l2 r", "strata_l2 off", "strata_l1 off", "strata_l1_ttl 5s",
                 "strata_l2 r; strata_l1_ttl off", "strata_l2_timeout 5ms",
                 "strata_l2_fail pass", "strata_l2_fail stale", "strata_l2_fail error",
                 "strata_l2_write async", "strata_l2_write sync", "strata_l2_write off",
                 "strata_l2_max_size 1m", "strata_l2_max_size off",
                 "strata_l2_compress off", "strata_l2_compress zstd",
                 "strata_l2_compress zstd min=2k",
                 "strata_l2 r; strata_l2_breaker failures=3 window=2s open=500ms",
                 "strata_lock cluster; strata_l2 r", "strata_lock cluster"):
        is_(t.config_error(http=REDIS, location=good + ";"), None, good)

    for line in ("strata_l1 on", "strata_l1_ttl 1s", "strata_l2 r", "strata_l2_timeout 1s",
                 "strata_l2_fail pass", "strata_l2_write off", "strata_l2_max_size 1m",
                 "strata_l2_compress zstd", "strata_l2_breaker open=1s"):
        message = t.config_error(http=REDIS, location=f"{line}; {line};")
        like(message or "accepted", "duplicate", f"{line} twice")

    two = "location /a { strata_cache z; strata_l2 %s; strata_l2_breaker failures=9; }"
    message = t.config_error(http=REDIS, location="strata_l2 r; strata_l2_breaker open=2s;",
                             locations=two % "r")
    like(message or "accepted", 'strata_l2_breaker.*"r"', "one instance, two breakers")
    is_(t.config_error(http=REDIS, location="strata_l2 r; strata_l2_breaker open=2s;",
                       locations=two % "s"), None, "two instances")
    like(t.config_error(location="strata_l2 later;") or "accepted", 'strata_redis "later"',
         "an unknown name")
    is_(t.config_error(http="strata_l2 r; " + REDIS), None, "named before it is there")
