#!/usr/bin/env python3
"""strata_zone: errors quote the directive and the value."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    def error(http, value, name, word="strata_zone"):
        message = t.config_error(http=http, zone="", only="")
        like(message or "accepted", word, f"{name}: names the directive")
        like(message or "accepted", value, f"{name}: quotes the value")

    error("strata_zone;", "strata_zone", "no argument")
    error("strata_zone a;", "strata_zone", "no size")
    error("strata_zone a 16x;", '"16x"', "size with a bad unit")
    error("strata_zone a -1m;", '"-1m"', "negative size")
    error("strata_zone a 0;", '"0"', "size 0")
    error("strata_zone a 99999999999999999999m;", '99999999999999999999m', "size overflow")
    error("strata_zone a 64k;", '64k', "too small")
    error("strata_zone a 4k;", '4k', "a page")
    error("strata_zone a 16m nonsense=1;", '"?nonsense', "unknown option")
    error("strata_zone a 16m max_object=huge;", 'huge', "bad max_object")
    error("strata_zone a 16m max_entries=many;", 'many', "bad max_entries")
    for bad in ("", "0", "0%", "101%", "-5%", "%", "x%", "5.5%", "much", "63k", "17m", "on"):
        error(f"strata_zone a 16m negative={bad};", f'"negative={bad}"', f"negative={bad}")
    for bad in ("", "0", "0s", "-1s", "soon", "5x", "on"):
        error(f"strata_zone a 16m inactive={bad};", f'"inactive={bad}"', f"inactive={bad}")
    error("strata_zone a 16m; strata_zone a 16m;", '"a"', "the same name twice")
    error("strata_zone a 16m; strata_zone a 8m;", '"a"', "twice, other size", "zone")
    error('strata_zone "" 16m;', '""|empty', "empty name")

    is_(t.config_error(http="strata_zone a 1m; strata_zone b 16m;", zone="", only=""), None,
        "two good zones")
    is_(t.config_error(http="strata_zone a 16m max_object=64k;", zone="", only=""), None,
        "with an option")
    for good in ("negative=1%", "negative=100%", "negative=64k", "negative=16m", "negative=off",
                 "inactive=10m", "inactive=1d2h", "inactive=500ms", "inactive=off"):
        is_(t.config_error(http=f"strata_zone a 16m {good};", zone="", only=""), None, good)
