#!/usr/bin/env python3
"""The access log has one line per client request; a fetch has none of its own."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        time.sleep(0.1 if req.path == "/cold" else 0)
        return Reply(b"12345", cc=None if "stale" in req.path else "max-age=60")

    origin.reply("/private", Reply(b"p", cc="private"))
    ng = t.nginx(origin, "strata_valid 100ms; strata_grace 1h;",
                 http="log_format l '$request_method $uri $status $body_bytes_sent $strata_status';",
                 server="access_log %DIR%/access.log l;")
    ng.fill("/a"), ng.get("/a"), ng.request("/a", "HEAD"), ng.fill("/private"), ng.fill("/stale")
    time.sleep(0.15)
    ng.get("/stale")
    ng.get("/a", headers={"Range": "bytes=1-2"})
    ng.swarm([Client("/cold") for _ in range(10)])
    ng.quiet()
    wait_until(lambda: len(open(f"{ng.dir}/access.log").readlines()) > 16, 1)
    lines = [x.split() for x in open(f"{ng.dir}/access.log") if "/-" not in x]
    is_(len(lines), 17, "17 requests, 17 lines")
    is_([x[1] for x in lines].count("/cold"), 10, "ten of the collapsed ones")
    is_(lines[0], ["GET", "/a", "200", "5", "MISS"], "a miss")
    is_(lines[1], ["GET", "/a", "200", "5", "HIT"], "a hit")
    is_(lines[2], ["HEAD", "/a", "200", "0", "HIT"], "a HEAD")
    is_(lines[6][:4], ["GET", "/a", "206", "2"], "a range")
    is_(sum(x[4] == "COLLAPSED" for x in lines), 9, "nine COLLAPSED")
