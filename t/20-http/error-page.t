#!/usr/bin/env python3
"""error_page and intercepted errors, with hits and misses around."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    origin.reply("/good", Reply(b"good", cc="max-age=60"))
    origin.reply("/missing", Reply(b"origin's 404", 404, cc="max-age=60"))
    origin.reply("/broken", Reply(b"origin's 500", 500))
    origin.reply("/page", Reply(b"nice page", cc="max-age=60"))
    origin.reply("/fallback", Reply(b"fallback", cc="max-age=60"))

    @origin.route("/reset")
    def _(req):
        req.reset()

    ng = t.nginx(origin, "proxy_intercept_errors on; error_page 404 /page; error_page 500 =200 /page;"
                 "error_page 502 = @fallback;", locations="""
        location = /page { strata_cache z; proxy_pass http://%ORIGIN%; }
        location @fallback { strata_cache z; strata_key fb; rewrite ^ /fallback break;
            proxy_pass http://%ORIGIN%; }
        location /off/ { proxy_pass http://127.0.0.1:1; strata_cache z; error_page 502 503 /page; }
        location /status/ { strata_cache z; proxy_intercept_errors on; error_page 500 = /good;
            proxy_pass http://%ORIGIN%/; }""")
    for i in range(4):
        is_((lambda r: (r.status, r.body))(ng.fill("/good")), (200, b"good"), f"{i}: good")
        is_((lambda r: (r.status, r.body))(ng.fill("/missing")), (404, b"nice page"), f"{i}: 404 to a page")
        is_((lambda r: (r.status, r.body))(ng.fill("/broken")), (200, b"nice page"), f"{i}: 500 to 200")
        is_((lambda r: (r.status, r.body))(ng.fill("/reset")), (200, b"fallback"), f"{i}: 502 to a named location")
        is_((lambda r: (r.status, r.body))(ng.fill("/off/x")), (502, b"nice page"), f"{i}: refused to a page")
        is_(ng.fill("/status/broken").body, b"good", f"{i}: an error page that is a cached URL")
    at_most(origin.count("/page"), 3, "fetches of the page")
    at_most(origin.count("/missing"), 5, "the 404: one fetch finds the redirect, then each request is on its own")
    rs = ng.swarm([Client(p) for p in ("/missing", "/broken", "/reset", "/off/y", "/good") * 10])
    is_({r.body for r in rs}, {b"nice page", b"fallback", b"good"}, "50 at once")
