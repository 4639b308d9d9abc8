#!/usr/bin/env python3
"""Where directives may stand, and where they must not."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

EVERYWHERE = """strata_cache z
strata_key $scheme $host $uri
strata_key_args a b
strata_valid 200 1s
strata_valid_min 1s
strata_valid_max 1m
strata_jitter 5%
strata_methods GET HEAD
strata_bypass $arg_x
strata_no_cache $arg_y
strata_lock node
strata_lock_timeout 5s
strata_lock_age 30s
strata_lock_max_waiters 100
strata_use_stale error updating
strata_grace 10s
strata_keep 1m
strata_background_update on
strata_revalidate on
strata_pass_ttl 2m
strata_max_object 1m
strata_min_uses 1
strata_types application/json
strata_set_cookie skip
strata_ignore_headers Expires
strata_hide_header X-A
strata_pass_header X-B
strata_purge 1
strata_purge_mode delete
strata_age on
strata_cache_status on"""

with scenario() as t:
    everything = "; ".join(EVERYWHERE.splitlines()) + ";"
    is_(t.config_error(http=everything), None, "all of them in http")
    is_(t.config_error(server=everything), None, "all of them in server")
    is_(t.config_error(only=f"location / {{ {everything} }}"), None, "all in location")
    for where in "server", "only":
        block = {"server": "strata_zone q 1m;",
                 "only": "location / { strata_zone q 1m; }"}[where]
        like(t.config_error(**{where: block}) or "accepted",
             '"strata_zone" directive is not allowed here', f"strata_zone in {where}")
    like(t.config_error(http="strata_status json;") or "accepted",
         '"strata_status" directive is not allowed here', "strata_status in http")
    like(t.config_error(only="location / { if ($arg_x) { strata_zone q 1m; } }")
         or "accepted", "not allowed here", "strata_zone in if")
    like(t.config_error(only="location / { strata_key $no_such_variable; }")
         or "accepted", 'unknown "no_such_variable" variable', "variables are checked")
    like(t.config_error(only="location / { strata_bypass $no_such_variable; }")
         or "accepted", 'unknown "no_such_variable" variable', "in conditions too")
