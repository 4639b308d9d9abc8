#!/usr/bin/env python3
"""fastcgi_pass behind the cache."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    body = blob("f", 100_000)

    def answer(v):
        headers = ["Content-Type: text/plain"]
        if v["REQUEST_URI"].startswith("/404"):
            return headers + ["Status: 404 Not Found", "Cache-Control: max-age=60"], b"none"
        if v["REQUEST_URI"].startswith("/private"):
            return headers + ["Cache-Control: private"], b"mine"
        if v["REQUEST_URI"].startswith("/len"):
            return headers + ["Cache-Control: max-age=60", f"Content-Length: {len(body)}"], body
        time.sleep(0.1)
        return headers + ["Cache-Control: max-age=60"], body

    backend = t.keep(FastCGI(answer))
    ng = t.nginx(only=f"""location / {{ strata_cache z; strata_cache_status on;
        fastcgi_pass 127.0.0.1:{backend.port};
        fastcgi_param REQUEST_METHOD $request_method; fastcgi_param REQUEST_URI $request_uri;
        fastcgi_param HTTP_X $http_x; }}""")
    for path in "/a", "/len":
        r = ng.fill(path)
        is_((r.status, r.body == body, r.cache), (200, True, "MISS"), f"{path}: miss")
        r = ng.get(path)
        is_((r.body == body, r.cache), (True, "HIT"), f"{path}: hit")
        is_(backend.count(path), 1, f"{path}: one fetch")
    r = ng.request("/h", "HEAD")
    is_((r.status, r.body), (200, b""), "HEAD of a cold key")
    is_(backend.seen[-1]["REQUEST_METHOD"], "GET", "asks with GET")
    ng.fill("/404")
    r = ng.get("/404")
    is_((r.status, r.cache, r.body), (404, "NEGATIVE", b"none"), "a 404")
    for i in range(3):
        is_(ng.fill("/private").body, b"mine", "private")
    is_(backend.count("/private"), 3, "is not stored")
    rs = ng.swarm([Client("/cold") for _ in range(40)])
    is_({r.body == body for r in rs}, {True}, "40 at once")
    is_(backend.count("/cold"), 1, "one fetch")
    is_(ng.request("/a", "POST", body=b"x" * 1000).body, body, "POST goes through")
