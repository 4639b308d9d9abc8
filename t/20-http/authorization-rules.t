#!/usr/bin/env python3
"""identity off leaves RFC 9111, 3.5: Authorization shared only if the response says so."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    for name, cc in (("plain", "max-age=60"), ("public", "public, max-age=60"),
                     ("smax", "s-maxage=60"), ("must", "must-revalidate, max-age=60"),
                     ("private", "private, max-age=60")):
        origin.reply(f"/{name}", Reply(name.encode(), cc=cc))
    ng = t.nginx(origin, "strata_key_identity off;")
    auth = {"Authorization": "Basic YTpi"}
    for name, shared in (("plain", False), ("public", True), ("smax", True),
                         ("must", True), ("private", False)):
        r = ng.fill(f"/{name}", headers=auth)
        if name == "plain":
            is_(r.why, "response-auth", "reason")
        r = ng.get(f"/{name}", headers=auth)
        is_(r.body, name.encode(), f"{name}: body")
        is_(r.cache == "HIT", shared, f"{name}: {'shared' if shared else 'not shared'}")
