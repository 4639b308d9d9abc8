#!/usr/bin/env python3
"""Vary: each variant to those who asked for it."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()

    @origin.route("/lang")
    def _(req):
        lang = req.get("X-Lang") or "none"
        return Reply(f"in {lang}".encode(), cc="max-age=60", headers=[("Vary", "X-Lang")])

    @origin.route("/two")
    def _(req):
        return Reply(f"{req.get('X-A')} {req.get('X-B')}".encode(), cc="max-age=60",
                     headers=[("Vary", "X-A"), ("Vary", "x-b")])

    ng = t.nginx(origin)
    for lang in "de", "fr", "en":
        r = ng.fill("/lang", headers={"X-Lang": lang})
        is_((r.body, r.cache), (f"in {lang}".encode(), "MISS"), f"{lang}: first")
    is_(r.why, "vary-miss", "a variant that is not there has its own reason")
    for lang in "de", "fr", "en":
        r = ng.get("/lang", headers={"X-Lang": lang})
        is_((r.body, r.cache), (f"in {lang}".encode(), "HIT"), f"{lang}: hit")
        is_(r.get("Vary"), "X-Lang", f"{lang}: Vary")
    ng.fill("/lang")
    is_(ng.get("/lang").body, b"in none", "without the field")
    is_(ng.get("/lang", headers={"X-Lang": ""}).status, 200, "with an empty one")
    is_(origin.count("/lang") <= 5, True, "one fetch per variant")

    for a, b in ("1", "2"), ("12", ""), ("1", "22"), ("", "12"):
        ng.fill("/two", headers={"X-A": a, "X-B": b})
    for a, b in ("1", "2"), ("12", ""), ("1", "22"), ("", "12"):
        r = ng.get("/two", headers={"X-A": a, "X-B": b})
        is_(r.body, f"{a} {b}".encode(), f"two fields {a!r} {b!r}")
    is_(origin.count("/two"), 4, "no mix-up of parts")
