#!/usr/bin/env python3
"""TLS in front: hits and misses, the scheme in the key, nothing of TLS kept by a fetch."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    body = blob("tls", 300_000)

    @origin.route("/*")
    def _(req):
        return Reply(f"{req.get('X-Scheme')} {req.get('X-Cipher')}".encode(), cc="max-age=60")

    origin.reply("/big", Reply(body, cc="max-age=60"))
    origin.reply("/drip", Reply(body[:100_000], cc="max-age=60", drip=(10_000, 0.03)))
    ng = t.nginx(origin, "proxy_set_header X-Scheme $scheme; proxy_set_header X-Cipher "
                 "$ssl_protocol;", tls=True)

    def tls(path, **kw):
        return request(ng.tls_port, path, tls=True, **kw)

    r = tls("/a")
    like(r.body.decode(), r"^https TLSv1\.\d$", "the fetch sees the client's $scheme and $ssl_protocol")
    ng.quiet()
    is_(tls("/a").cache, "HIT", "hit")
    r = ng.get("/a")
    is_((r.cache, r.body[:5]), ("MISS", b"http "), "http is another key")
    for i in 1, 2:
        is_(tls("/big").body == body, True, f"300 KB {i}")
    is_(tls("/drip").body == body[:100_000], True, "drip")
    with Conn(ng.tls_port, tls=True) as c:
        is_({c.get("/big").body == body for _ in range(5)}, {True}, "keep-alive")
        c.send(build("/slow"))                    # and leave while it is fetched
    ng.quiet()
    is_(tls("/slow").status, 200, "after a client that left")
    for i in 1, 2:
        r = ng.curl("/big", tls=True, h2=True)
        is_((r.reason, r.body == body), ("HTTP/2", True), f"h2 over TLS {i}")
    rs = [in_thread(tls, "/many") for _ in range(20)]
    is_({r.join().body[:11] for r in rs}, {b"https TLSv1"}, "20 at once")
    is_(origin.count("/many"), 1, "one fetch")
