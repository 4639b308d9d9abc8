#!/usr/bin/env python3
"""Vary: Accept-Encoding is folded: few variants, the right bytes for each."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

import gzip

with scenario() as t:
    origin = t.origin()
    plain = text("ae", 3000)

    @origin.route("/a")
    def _(req):
        if "gzip" in (req.get("Accept-Encoding") or ""):
            return Reply(gzip.compress(plain), cc="max-age=60",
                         headers=[("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding")])
        return Reply(plain, cc="max-age=60", headers=[("Vary", "Accept-Encoding")])

    ng = t.nginx(origin)
    values = ["gzip", "gzip, deflate", "deflate, gzip", "GZIP", "gzip;q=1.0", "gzip, deflate;q=0.5",
              None, "identity", "", "deflate", "nonsense", "gzip;q=0"]
    for v in values * 2:
        r = ng.fill("/a", headers={} if v is None else {"Accept-Encoding": v})
        body = r.body
        if r.get("Content-Encoding") == "gzip":
            ok(v and "gzip" in v.lower() and "q=0" != v[-3:], f"{v!r}: gzip was accepted")
            body = gzip.decompress(body)
        is_(body, plain, f"{v!r}: right bytes")
    at_most(origin.count("/a"), 4, "few fetches")
