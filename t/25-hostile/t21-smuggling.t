#!/usr/bin/env python3
"""T-21: what follows a request on its connection is never taken for a request it is not."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        return Reply(f"{req.method} {req.target}".encode(), cc="max-age=60")

    ng = t.nginx(origin)
    ng.fill("/hit")
    evil = b"GET /evil HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for name, extra in (("Content-Length", {"Content-Length": str(len(evil))}), ):
        with ng.conn() as c:
            c.send(build("/hit", headers=extra, body=evil) + build("/next"))
            is_(c.read().body, b"GET /hit", f"{name}: the request")
            is_(c.read().body, b"GET /next", f"{name}: the next one")
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(evil), evil)
    with ng.conn() as c:
        c.send(build("/hit", headers={"Transfer-Encoding": "chunked"}, body=chunked) + build("/next"))
        is_(c.read().body, b"GET /hit", "chunked: the request")
        is_(c.read().body, b"GET /next", "chunked: the next one")
    with ng.conn() as c:
        c.send(build("/hit", "HEAD") + build("/hit") + build("/hit", headers={"Range": "bytes=0-2"})
               + build("/next"))
        is_(c.read("HEAD").body, b"", "pipeline: HEAD")
        is_(c.read().body, b"GET /hit", "pipeline: GET")
        is_(c.read().body, b"GET", "pipeline: range")
        is_(c.read().body, b"GET /next", "pipeline: next")
    with ng.conn() as c:
        c.send(b"".join(build("/hit") for _ in range(50)))
        is_({c.read().body for _ in range(50)}, {b"GET /hit"}, "50 hits in one packet")
    is_(origin.count("/evil"), 0, "the origin never saw it")
