#!/usr/bin/env python3
"""F-21: the origin fails; leader and waiters share one failure, without queueing up for it."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario(alone=True) as t:
    origin = t.origin()

    @origin.route("/reset")
    def _(req):
        time.sleep(0.3)
        req.reset()

    @origin.route("/garbage")
    def _(req):
        time.sleep(0.3)
        req.send("HTTP/1.1 200 OK\r\nX-A: a\0b\r\n\r\n")
        req.close()

    @origin.route("/500")
    def _(req):
        time.sleep(0.2)
        return Reply(b"oops", 500)

    @origin.route("/hang")
    def _(req):
        time.sleep(5)
        req.close()

    ng = t.nginx(origin, "proxy_read_timeout 400ms;")
    for path, status, once in ("/reset", 502, 300), ("/garbage", 502, 300), ("/hang", 504, 400):
        rs = ng.swarm([Client(path) for _ in range(40)])
        is_({r.status for r in rs}, {status}, f"{path}: all get {status}")
        at_most(origin.count(path), 2, f"{path}: origin fetches")
        within(max(r.ms for r in rs), 2 * once + 50, f"{path}: the slowest")
        is_(len({r.pid for r in rs}), 2, f"{path}: both workers")
        ng.quiet()
    rs = ng.swarm([Client("/500") for _ in range(40)])
    is_({(r.status, r.body) for r in rs}, {(500, b"oops")}, "/500: all get it")
    within(max(r.ms for r in rs), 450, "/500: the slowest")
    ng.quiet()

    origin.down()
    rs = ng.swarm([Client("/refused") for _ in range(40)])
    is_({r.status for r in rs}, {502}, "refused: all get 502")
    within(max(r.ms for r in rs), 300, "refused: at once")
    origin.up()
    start = time.monotonic()
    origin.reply("/refused", Reply(b"back", cc="max-age=60"))
    ok(wait_until(lambda: ng.get("/refused").status == 200, 4, 0.02), "recovers")
    within(ms_since(start), 2000, "soon")
