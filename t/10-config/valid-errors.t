#!/usr/bin/env python3
"""strata_valid: status codes and times are checked and quoted."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    for args, value in (("99 1s", "99"), ("600 1s", "600"), ("1000 1s", "1000"),
                        ("abc 1s", "abc"), ("200 nope", "nope"), ("nope", "nope"),
                        ("-200 1s", "-200"), ("200 404 5x", "5x"),
                        ("any any2 1s", "any2"),
                        ("103 1s", "103"), ("206 1s", "206"), ("304 1s", "304"), ("416 1s", "416")):
        message = t.config_error(only=f"location / {{ strata_valid {args}; }}")
        like(message or "accepted", "strata_valid", f"{args}: names the directive")
        like(message or "accepted", f'"{value}"', f"{args}: quotes the value")
    like(t.config_error(only="location / { strata_valid; }") or "accepted",
         '"strata_valid"', "no argument")
    is_(t.config_error(only="location / { strata_valid 200 301 302 10m; "
                            "strata_valid 404 30s; strata_valid any 1s; strata_valid 5m; }"),
        None, "several good ones")
