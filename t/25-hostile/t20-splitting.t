#!/usr/bin/env python3
"""
T-20: oversized, malformed or contradictory headers of the origin, and each byte in names and
values: passed or 502 as nginx would, what may not be replayed is not stored, no crash.
"""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario(120) as t:
    origin = t.origin()

    def raw(path, data):
        @origin.route(path)
        def _(req):
            req.send(data)
            req.close()

    OK = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\n"
    END = "Content-Length: 2\r\n\r\nhi"
    table = {
        "/huge-value": OK + "X-Huge: " + "a" * 1_000_000 + "\r\n" + END,
        "/big-value": OK + "X-Big: " + "a" * 20_000 + "\r\n" + END,
        "/many": OK + "".join(f"X-{i}: {i}\r\n" for i in range(10_000)) + END,
        "/hundreds": OK + "".join(f"X-{i}: {i}\r\n" for i in range(300)) + END,
        "/cr": OK + "X-A: a\rb\r\n" + END,
        "/lf": OK + "X-A: a\nX-B: b\r\n" + END,
        "/nul": OK + "X-A: a\0b\r\n" + END,
        "/nul-name": OK + "X-\0A: a\r\n" + END,
        "/space-name": OK + "X A: a\r\n" + END,
        "/no-colon": OK + "nonsense\r\n" + END,
        "/empty-name": OK + ": a\r\n" + END,
        "/fold": OK + "X-A: a\r\n b\r\n" + END,
        "/two-lengths": OK + "Content-Length: 2\r\nContent-Length: 5\r\n\r\nhi",
        "/two-same": OK + "Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
        "/length-list": OK + "Content-Length: 2, 2\r\n\r\nhi",
        "/neg-length": OK + "Content-Length: -2\r\n\r\nhi",
        "/hex-length": OK + "Content-Length: 0x2\r\n\r\nhi",
        "/huge-length": OK + "Content-Length: 99999999999999999999\r\n\r\nhi",
        "/max-length": OK + "Content-Length: 9223372036854775807\r\n\r\nhi",
        "/over-2-63": OK + "Content-Length: 9223372036854775808\r\n\r\nhi",
        "/2-32": OK + "Content-Length: 4294967298\r\n\r\nhi",
        "/length-and-chunked": OK + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        "/bad-te": OK + "Transfer-Encoding: gzip, nonsense\r\n\r\nhi",
        "/two-te": OK + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        "/longer": OK + "Content-Length: 2\r\n\r\nhi and more that is not part of it",
        "/bad-chunk": OK + "Transfer-Encoding: chunked\r\n\r\nzz\r\nhi\r\n0\r\n\r\n",
        "/huge-chunk": OK + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nhi\r\n",
        "/no-last-chunk": OK + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
        "/status-text": "HTTP/1.1 abc OK\r\n" + END,
        "/status-0": "HTTP/1.1 000 OK\r\nCache-Control: max-age=60\r\n" + END,
        "/status-999": "HTTP/1.1 999 X\r\nCache-Control: max-age=60\r\n" + END,
        "/http09": "hello",
        "/empty": "",
        "/only-status": "HTTP/1.1 200 OK\r\n",
        "/half-header": "HTTP/1.1 200 OK\r\nCache-Con",
        "/date-junk": OK + "Date: not a date at all\r\nAge: many\r\nExpires: \r\n" + END,
        "/age-neg": OK + "Age: -5\r\n" + END,
        "/age-huge": OK + "Age: 99999999999999999999\r\n" + END,
        "/etag-junk": OK + "ETag: " + "\"" * 500 + "\r\n" + END,
        "/lm-junk": OK + "Last-Modified: Sun, 99 Foo 99999 99:99:99 GMT\r\n" + END,
        "/cc-junk": "HTTP/1.1 200 OK\r\nCache-Control: " + "max-age=" * 800 + "\r\n" + END,
        "/cc-quote": "HTTP/1.1 200 OK\r\nCache-Control: max-age=\"60\r\n" + END,
        "/vary-junk": OK + "Vary: " + ", ".join("," * 50 + "a b" for _ in range(50)) + "\r\n" + END,
        "/vary-long": OK + "Vary: " + "x" * 3000 + "\r\n" + END,
        "/1xx": "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 100 + OK + END,
        "/204-body": "HTTP/1.1 204 No Content\r\nCache-Control: max-age=60\r\nContent-Length: 2\r\n\r\nhi",
        "/type-junk": OK + "Content-Type: " + ";" * 1000 + "charset=\r\n" + END,
        "/conn-names": OK + "Connection: Content-Length, Content-Type, ETag, X-A\r\nX-A: 1\r\n" + END,
        "/high-bytes": OK + "X-A: " + "".join(chr(c) for c in range(128, 256)) + "\r\n" + END,
        "/all-bytes": OK + "".join(f"X-{c}: a{chr(c)}b\r\n" for c in range(1, 32) if c not in (9, 10, 13)) + END,
    }
    for path, data in table.items():
        raw(path, data.encode("latin-1"))

    # what plain nginx does with it is what clients must see
    ng = t.nginx(origin, locations="location /plain/ { proxy_http_version 1.1; proxy_pass http://%ORIGIN%/; }",
                 connections=512)
    pids = ng.workers()
    for path in table:
        plain = ng.get("/plain" + path)
        for i in 1, 2:
            r = ng.fill(path)
            # a status line that is none is HTTP/0.9 for nginx: a body without a header
            good = r.status in (plain.status, 502) or (plain.status is None and r.status in (None, 200))
            ok(good, f"{path} {i}: {r.status}, nginx alone: {plain.status}")
            if r.status == 200 and r.complete:
                case(r.body == plain.body or not plain.complete or plain.status is None, f"{path} {i}: the body nginx gives")
            elif plain.complete and plain.status == 200:
                ok(r.status == 502 or r.complete, f"{path} {i}: whole or 502")
        fatal = path in ("/huge-value", "/two-lengths", "/bad-chunk", "/no-last-chunk", "/huge-chunk",
                         "/neg-length", "/huge-length", "/max-length", "/2-32", "/nul", "/cr", "/empty",
                         "/only-status", "/half-header", "/all-bytes", "/many")
        if fatal:
            case(r.cache not in ("HIT", "NEGATIVE"), f"{path}: nothing stored ({r.cache})")
        if r.cache == "HIT":
            for name, value in r.headers:
                if any(c in value for c in "\r\n\0"):
                    ok(False, f"{path}: a stored field with bad bytes: {name}")

    # each byte in a name and in a value
    @origin.route("/byte/*")
    def _(req):
        _, _, where, number = req.path.split("/")
        c = bytes([int(number)])
        field = b"X-Byte" + c + b"Name: a" if where == "name" else b"X-Byte: a" + c + b"Set-Cookie: evil=1"
        req.send(OK.encode() + field + b"\r\nX-After: 1\r\n" + END.encode())
        req.close()

    for where in "name", "value":
        wrong = []
        for number in range(256):
            path = f"/byte/{where}/{number}"
            plain = ng.get("/plain" + path)
            for _ in 1, 2:
                r = ng.fill(path)
            bad = [(n, v) for n, v in r.headers if n.lower() == "set-cookie" or any(ord(x) < 32 and x != "\t" or ord(x) == 127 for x in n + v)]
            plainly = [(n, v) for n, v in plain.headers if n.lower() == "set-cookie" or any(ord(x) < 32 and x != "\t" or ord(x) == 127 for x in n + v)]
            if r.status not in (plain.status, 502) or (r.cache == "HIT" and bad) or (bad and not plainly):
                wrong.append((number, str(r), bad))
            if r.cache == "HIT" and (r.body != b"hi" or r.get("X-After") != "1"):
                wrong.append((number, str(r), r.headers))
        cases(wrong, 256, f"each byte in a {where}: what is replayed has no control character")

    is_(ng.workers(), pids, "no worker died")
    origin.reply("/after", Reply(b"fine", cc="max-age=60"))
    ng.fill("/after")
    is_(ng.get("/after").cache, "HIT", "and the cache works on")
    at_least(ng.reasons().get("bad-header", 0), 1, "counted by reason: bad-header")
