#!/usr/bin/env python3
"""strata_cache: the zone must exist, the directive stand once."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    message = t.config_error(location="strata_cache nope;", only="location / { strata_cache nope; }")
    like(message or "accepted", "strata_cache|zone", "unknown zone: says what")
    like(message or "accepted", '"nope"', "unknown zone: quotes its name")

    message = t.config_error(only="location / { strata_cache z; strata_cache z; }")
    like(message or "accepted", '"strata_cache" directive is duplicate', "twice")

    message = t.config_error(only="location / { strata_cache; }")
    like(message or "accepted", '"strata_cache"', "no argument")

    message = t.config_error(only="location / { strata_cache z z; }")
    like(message or "accepted", '"strata_cache"', "two arguments")

    # the zone may be defined after its use
    is_(t.config_error(http="server { location / { strata_cache late; } } "
                            "strata_zone late 1m;"), None, "defined further down")
    is_(t.config_error(only="location / { strata_cache off; }"), None, "off")
    is_(t.config_error(http="strata_cache z;"), None, "in http")
    is_(t.config_error(server="strata_cache z;"), None, "in server")
