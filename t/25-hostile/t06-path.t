#!/usr/bin/env python3
"""The path is keyed raw, as it is forwarded: two paths share an entry only if the origin sees the same bytes."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        return Reply(b"saw " + req.target.encode("latin-1"), cc="max-age=60")

    ng = t.nginx(origin)
    paths = ["/p", "/P", "//p", "/./p", "/x/../p", "/%70", "/p/", "/p%2f", "/p%2F", "/p%2e", "/p.", "/p%20",
             "/p;a=b", "/p%3b", "/p%3fa=1", "/p?a=1", "/p%23", "/p%00x", "/p%0ax", "/p%5cx", "/p\\x",
             "/a/%2e%2e/p", "/p?", "/p%", "/p%zz", "/p*", "/p|GET", "/\xe4", "/%e4", "/%E4"]
    seen = {}
    for p in paths:
        r = ng.fill(p)
        if r.status != 200:
            ok(r.status == 400, f"{p!r}: refused")
            continue
        seen[p] = r.body
    for p, first in seen.items():
        r = ng.get(p)
        is_(r.body, first, f"{p!r}: always the same answer")
        if r.cache == "HIT":
            sent = first[4:].decode("latin-1")
            ok(sent == p or sent == p.removesuffix("?"), f"{p!r}: the origin saw just that")
    r = ng.fill("/p#frag")
    ok(r.status == 400 or b"#" not in r.body, f"a fragment is refused or cut off ({r.status})")
    is_(ng.get("/p").body, seen["/p"], "and leaves /p as it was")
