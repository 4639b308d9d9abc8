#!/usr/bin/env python3
"""no-cache: never given out without asking; stored at most to be revalidated."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    n = 0

    @origin.route("/nc")
    def _(req):
        global n
        n += 1
        if req.get("If-None-Match") == '"v"':
            return Reply(status=304, cc="no-cache", headers=[("ETag", '"v"')])
        return Reply(b"body", cc="no-cache, max-age=60", headers=[("ETag", '"v"')])

    origin.reply("/plain", Reply(b"body", cc="no-cache"))
    ng = t.nginx(origin)
    for i in range(4):
        r = ng.fill("/nc")
        is_((r.status, r.body), (200, b"body"), f"with validator {i}: whole")
        isnt(r.cache, "HIT", f"with validator {i}: not a plain hit")
    is_(n, 4, "the origin was asked each time")
    for i in range(3):
        is_(ng.fill("/plain").body, b"body", "without validator")
    is_(origin.count("/plain"), 3, "the origin was asked each time")
