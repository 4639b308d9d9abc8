#!/usr/bin/env python3
"""Errors of strata_events and of the directives of tags quote the value."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

REDIS = "strata_redis r redis://127.0.0.1:1;"
CACHE_Z = "strata_cache z; proxy_pass http://127.0.0.1:1;"
CASES = (
    ("strata_events redis=r;", "", 'no "stream=" in "strata_events"'),
    ("strata_events stream=s;", "", 'no "redis=" in "strata_events"'),
    ("strata_events redis=r stream=s nonsense=1;", "", 'invalid parameter "nonsense=1"'),
    ("strata_events redis=r stream=s lease=499ms;", "", 'invalid parameter "lease=499ms"'),
    ("strata_events redis=r stream=s lease=x;", "", 'invalid parameter "lease=x"'),
    ("strata_events redis=r stream=s maxlen=~0;", "", 'invalid parameter "maxlen=~0"'),
    *[(f"strata_events redis=r stream=s maxsize={s};", "", f'invalid parameter "maxsize={s}"')
      for s in ("x", "0", "8191k", "-1")],
    ("strata_events redis=r stream=s keep=0;", "", 'invalid parameter "keep=0"'),
    ("strata_events redis=r stream=;", "", 'invalid parameter "stream="'),
    *[(f'strata_events redis=r "stream={s}";', "", f'invalid parameter "stream={s}"')
      for s in ("a{b", "a}b", "{}a", "}a{")],
    (f"strata_events redis=r stream={'s' * 257};", "", "invalid parameter"),
    ("strata_events redis=q stream=s;", CACHE_Z, 'unknown strata_redis "q" in "strata_events"'),
    ("strata_events redis=r stream=s; strata_events off;", "", '"strata_events" directive is duplicate'),
    ("", "strata_events redis=r stream=s;", '"strata_events" directive is not allowed here'),
    ("", "strata_coherence maybe;", 'invalid value "maybe"'),
    ("", "strata_coherence_max x;", 'invalid value "x"'),
    ("", "strata_double_delete x;", 'invalid value "x"'),
    ("", "strata_tag_max 129;", 'invalid value "129"'),
    ("", "strata_tag_max 0;", 'invalid value "0"'),
    ("", "strata_tag_headers a:b;", 'invalid value "a:b"'),
    ("", "strata_tag_forward yes;", 'invalid value "yes"'),
    ("", "strata_tags a; strata_tags b;", '"strata_tags" directive is duplicate'),
    ("", "strata_tags $nosuch;", 'unknown "nosuch" variable'),
)

with scenario(60) as t:
    for http, location, want in CASES:
        ng = Nginx(http=f"{REDIS} {http}", only=f"location / {{ {location} }}", start=False)
        good, said = ng.test_config()
        ok(not good and want in said, f"{http or location} -> {want}") or note(said)
        ng.remove()

    two = f"""server {{ listen 127.0.0.1:%BACK%; strata_events redis=r stream=other;
                        location / {{ {CACHE_Z} }} }}"""
    ng = Nginx(http=f"{REDIS} strata_events redis=r stream=s;", only=f"location / {{ {CACHE_Z} }}",
               servers=two, start=False)
    good, said = ng.test_config()
    ok(not good and 'zone "z" has "strata_events" with stream "s" in one location and "other"' in said,
       "a zone has one log") or note(said)
    ng.remove()

    for http in ("strata_events off;", 'strata_events redis=r "stream=a{b}c" maxlen=10 maxsize=8m lease=1s keep=1h;'):
        ng = Nginx(http=f"{REDIS} {http}", only=f"location / {{ {CACHE_Z} }}", start=False)
        good, said = ng.test_config()
        ok(good, http) or note(said)
        ng.remove()
