#!/usr/bin/env python3
"""
Responses that must not be shared are passed on, with the reason, and not stored.
What is not storable is also remembered: the next request does not wait for anybody.
"""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

CASES = {
    "private":      (Reply(b"p", cc="private, max-age=60"), "private"),
    "private-field": (Reply(b"p", cc='max-age=60, private="x-a, etag"'), "private"),
    "no-store":     (Reply(b"p", cc="no-store"), "no-store"),
    "no-store-age": (Reply(b"p", cc="max-age=60, no-store"), "no-store"),
    "NO-STORE":     (Reply(b"p", cc="NO-STORE"), "no-store"),
    "set-cookie":   (Reply(b"p", cc="max-age=60", headers=[("Set-Cookie", "id=1")]),
                     "set-cookie"),
    "vary-star":    (Reply(b"p", cc="max-age=60", headers=[("Vary", "*")]), "vary-star"),
    "vary-a-star":  (Reply(b"p", cc="max-age=60", headers=[("Vary", "X-A, *")]), "vary-star"),
    "nothing":      (Reply(b"p"), "no-lifetime"),
    "zero":         (Reply(b"p", cc="max-age=0"), None),
    "s-maxage-0":   (Reply(b"p", cc="max-age=60, s-maxage=0"), None),
    "expired":      (Reply(b"p", headers=[("Expires", "Thu, 01 Jan 1970 00:00:00 GMT")]), None),
    "expires-0":    (Reply(b"p", headers=[("Expires", "0")]), None),
    "bad-age":      (Reply(b"p", cc="max-age=soon"), None),
    "500":          (Reply(b"p", 500), None),
    "404":          (Reply(b"p", 404), None),
    "302":          (Reply(b"p", 302, headers=[("Location", "/x")]), None),
    "206":          (Reply(b"p", 206, cc="max-age=60",
                           headers=[("Content-Range", "bytes 0-0/9")]), "partial"),
}

with scenario() as t:
    origin = t.origin()
    ng = t.nginx(origin)
    for name, (reply, reason) in CASES.items():
        path = "/" + name
        origin.reply(path, reply)
        for i in 1, 2, 3:
            r = ng.fill(path)
            is_((r.status, r.body), (reply.status, b"p"), f"{name} {i}: passed on")
            ok(r.cache not in ("HIT", "NEGATIVE", "STALE", "UPDATING"),
               f"{name} {i}: no hit ({r.cache})")
            if i == 1 and reason:
                is_(r.why, reason, f"{name}: reason")
        is_(origin.count(path), 3, f"{name}: the origin is asked each time")
    is_(ng.count("stores"), 0, "nothing was stored")
    r = ng.get("/private")
    is_((r.cache, r.why), ("PASS", "hit-for-miss"), "remembered as not storable")
    at_least(ng.reasons().get("private", 0), 1, "counted by reason")
