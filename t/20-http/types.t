#!/usr/bin/env python3
"""strata_types: by type/subtype, parameters and case do not matter."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    for path, kind in (("/json", "application/json"), ("/param", "application/json; charset=utf-8"),
                       ("/case", "Application/JSON;v=1"), ("/text", "text/plain"),
                       ("/html", "text/html"), ("/longer", "application/json-patch"),
                       ("/shorter", "application/js"), ("/none", "")):
        origin.reply(path, Reply(b"x", cc="max-age=60", type=kind))
    ng = t.nginx(origin, "strata_types application/json text/html;")
    for path, stored in (("/json", 1), ("/param", 1), ("/case", 1), ("/text", 0), ("/html", 1),
                         ("/longer", 0), ("/shorter", 0), ("/none", 0)):
        r = ng.fill(path)
        if not stored:
            is_(r.why, "type", f"{path}: reason")
        is_(ng.get(path).cache == "HIT", bool(stored), f"{path}: {'stored' if stored else 'not stored'}")
