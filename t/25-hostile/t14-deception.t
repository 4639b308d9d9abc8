#!/usr/bin/env python3
"""T-14: a private page stays private under any name that looks static."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        who = req.get("X-User") or "nobody"
        return Reply(f"account of {who}".encode(), cc="private, max-age=0")

    ng = t.nginx(origin)
    names = ["/account/x.css", "/account%0ax.css", "/account;x.css", "/account/x.js?v=1", "/account%2fx.png",
             "/account%23x.css", "/account%3fx.css", "/account/..%2fx.css", "/account/.css", "/account%00.css",
             "/static/..%2f..%2faccount", "/account/robots.txt", "/account/favicon.ico"]
    for name in names:
        r = ng.fill(name, headers={"X-User": "alice"})
        if r.status == 400:
            ok(True, f"{name}: refused")
            continue
        r = ng.fill(name, headers={"X-User": "bob"})
        is_(r.body, b"account of bob", name)
    is_(ng.count("stores"), 0, "nothing stored")
