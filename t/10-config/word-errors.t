#!/usr/bin/env python3
"""Directives that take a word quote an unknown one."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

WORDS = """strata_lock cluster2
strata_lock sometimes
strata_use_stale error http_999
strata_use_stale never
strata_set_cookie maybe
strata_purge_mode explode
strata_ignore_headers X-Nonsense
strata_methods GET FROBNICATE
strata_background_update maybe
strata_revalidate 1
strata_age yes
strata_vary_normalize accept-charset values=x
strata_vary_normalize accept-language value=de
strata_vary_normalize accept-language values=de,
strata_control_headers X-Nonsense
strata_control_headers a-cache-control b-cache-control c-cache-control d-cache-control e-cache-control f-cache-control g-cache-control h-cache-control ninth-cache-control
strata_jitter 5q
strata_jitter 101%
strata_jitter -5%
strata_jitter 5% sideways"""

with scenario() as t:
    for line in WORDS.splitlines():
        word, *args = line.split()
        message = t.config_error(only=f"location / {{ {line}; }}")
        like(message or "accepted", word, f"{line}: names the directive")
        quoted = [a for a in args if f"\"{a}\"" in (message or "")]
        ok(quoted or args[-1] in (message or ""), f"{line}: quotes the value")

    message = t.config_error(only="location / { strata_status xml; }")
    like(message or "accepted", 'strata_status.*xml|xml.*strata_status', "strata_status xml")

    for good in ("strata_lock off", "strata_lock worker", "strata_lock node",
                 "strata_lock on", "strata_use_stale off",
                 "strata_use_stale updating error timeout invalid_header lock "
                 "http_500 http_502 http_503 http_504 http_403 http_404 http_429",
                 "strata_set_cookie skip", "strata_set_cookie strip",
                 "strata_set_cookie store", "strata_purge_mode delete",
                 "strata_purge_mode invalidate", "strata_purge_mode revalidate",
                 "strata_ignore_headers Cache-Control Expires Set-Cookie Vary "
                 "X-Accel-Expires", "strata_methods GET HEAD POST",
                 "strata_jitter 10%", "strata_jitter 2s add", "strata_jitter 5% both",
                 "strata_cache_status off", "strata_cache_status edge-1"):
        is_(t.config_error(only=f"location / {{ {good}; }}"), None, good)
