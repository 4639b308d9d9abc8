#!/usr/bin/env python3
"""Headers that fill several chunks, and keys that do, are stored and found."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    many = [(f"X-H{i}", chr(97 + i % 26) * 100) for i in range(80)]

    @origin.route("/*")
    def _(req):
        return Reply(b"body of " + req.target[-20:].encode(), cc="max-age=60", headers=many)

    ng = t.nginx(origin, "proxy_buffer_size 32k; proxy_buffers 8 32k; proxy_busy_buffers_size 64k;",
                 server="large_client_header_buffers 8 16k;")
    for n in 10, 500, 1000, 1024, 2000, 4000, 7900:
        path = "/" + "k" * n
        ng.fill(path)
        r = ng.get(path)
        is_((r.cache, r.body), ("HIT", b"body of " + path[-20:].encode()), f"a key of {n}")
        is_([(a, b) for a, b in r.headers if a.startswith("X-H")], many, f"a key of {n}: 80 headers")
    a, b = "/" + "k" * 3000 + "a", "/" + "k" * 3000 + "b"
    ng.fill(a), ng.fill(b)
    is_((ng.get(a).body[-1:], ng.get(b).body[-1:]), (b"a", b"b"), "keys that differ in the last byte")
    r = ng.get("/" + "k" * 9000)
    is_((r.status, r.cache, r.why), (200, "PASS", "key"), "a key over 8 KiB passes")
