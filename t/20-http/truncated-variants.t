#!/usr/bin/env python3
"""Every way a body can end too early: seen as broken, never stored."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    body = blob("tv", 60_000)
    origin.reply("/cl", Reply(body, cc="max-age=60", cut=30_000))
    origin.reply("/cl-rst", Reply(body, cc="max-age=60", cut=30_000, reset=True))
    origin.reply("/cl-0", Reply(body, cc="max-age=60", cut=0))
    origin.reply("/cl-1", Reply(body, cc="max-age=60", cut=59_999))
    origin.reply("/ch", Reply(body, cc="max-age=60", cut=30_000, chunked=True))
    origin.reply("/ch-rst", Reply(body, cc="max-age=60", cut=30_000, chunked=True, reset=True))
    origin.reply("/drip", Reply(body, cc="max-age=60", cut=30_000, drip=(10_000, 0.02)))

    @origin.route("/hang")
    def _(req):
        req.send(f"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: {len(body)}\r\n\r\n")
        req.send(body[:30_000])
        time.sleep(3)
        req.close()

    origin.reply("/eof", Reply(body, cc="max-age=60", eof=True))
    ng = t.nginx(origin, "proxy_read_timeout 500ms;")
    for path in "/cl", "/cl-rst", "/cl-0", "/cl-1", "/ch", "/ch-rst", "/drip", "/hang":
        for i in 1, 2:
            r = ng.fill(path)
            ok(not r.complete or r.status in (502, 504), f"{path} {i}: broken or an error ({r})")
            if r.status == 200:
                ok(body.startswith(r.body), f"{path} {i}: what came is right")
            ok(r.cache != "HIT", f"{path} {i}: not stored ({r.cache})")
    is_(ng.count("stores"), 0, "nothing stored")
    at_least(ng.count("fetch_errors"), 8, "counted: fetch_errors")
    for i in 1, 2:
        r = ng.fill("/eof")
        is_((r.complete, r.body == body), (True, True), "ended by close: passed on")
    isnt(r.cache, "HIT", "ended by close: cannot be known to be whole, so not stored")
