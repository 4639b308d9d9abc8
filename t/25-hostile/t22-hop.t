#!/usr/bin/env python3
"""T-22: fields named by Connection are dropped only where that is legal, in requests and responses."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        return Reply("".join(f"{n.lower()}: {v}\n" for n, v in req.headers).encode(), cc="max-age=60", headers=[
            ("Connection", "Content-Length, Content-Type, Date, ETag, Cache-Control, Vary, X-Drop, close"),
            ("ETag", '"c"'), ("X-Drop", "1"), ("X-Stay", "1")])

    ng = t.nginx(origin)
    for i in range(2):
        r = ng.fill("/a", headers={"Connection": "Host, Content-Length, X-A, keep-alive", "X-A": "1"})
        is_((r.status, r.complete), (200, True), f"{i}: whole")
        is_((r.get("Content-Length"), r.get("Content-Type")), (str(len(r.body)), "text/plain"), f"{i}: length and type")
        is_((r.get("X-Drop"), r.get("X-Stay")), (None, "1"), f"{i}: the named field is dropped")
        like(r.body.decode(), "(?m)^host: ", f"{i}: the origin got a Host")
    is_(r.cache, "HIT", "that was a hit")
