#!/usr/bin/env python3
"""T-02: the body of a GET reaches nobody but the one who sent it, and is always drained."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

import contextlib
import struct

BODY = f"q={EVIL}".encode()
CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)

FORMS = {
    "length": ([f"Content-Length: {len(BODY)}"], BODY),
    "chunked": (["Transfer-Encoding: chunked"], CHUNKED),
    "expect": ([f"Content-Length: {len(BODY)}", "Expect: 100-continue"], BODY),
    "chunked, expect": (["Transfer-Encoding: chunked", "Expect: 100-continue"], CHUNKED),
    "form": ([f"Content-Length: {len(BODY)}", "Content-Type: application/x-www-form-urlencoded"], BODY),
    "chunked, extension": (["Transfer-Encoding: chunked"], CHUNKED.replace(b"\r\n", b";a=b\r\n", 1)),
    "chunked, trailer": (["Transfer-Encoding: chunked"], CHUNKED[:-2] + f"X-Forwarded-Host: {EVIL}\r\n\r\n".encode()),
    "long": (["Content-Length: 40000"], BODY * (40000 // len(BODY)) + b"x" * (40000 % len(BODY))),
}

with scenario() as t:
    origin = t.origin()
    mirror(origin)
    ng = t.nginx(origin, h2=True)

    def victim(path, name):
        ng.quiet()
        for i in 1, 2:
            r = ng.fill(path)
            case(r.status == 200 and r.body.startswith(f"GET {path}\n".encode()) and EVIL.encode() not in r.body,
                 f"{name}: the victim's answer {i}")

    for cold in True, False:
        for i, (form, (lines, body)) in enumerate(FORMS.items()):
            for method in "GET", "HEAD":
                path = f"/{i}-{method}-{cold}"
                name = f"{method}, {form}, {'cold' if cold else 'stored'}"
                if not cold:
                    ng.fill(path)
                with ng.conn() as c:
                    c.send(head(path, *lines, method=method) + body + head("/next"))
                    r = c.read(method)
                    ok(r.status == 200, f"{name}: the attacker is answered ({r})")
                    r = c.read()
                    ok(r.body.startswith(b"GET /next\n"), f"{name}: the next request on his connection")
                victim(path, name)

    for i, size in enumerate((0, len(BODY), 16000)):
        data = (BODY * 2000)[:size]
        path = f"/h2-{i}"
        with contextlib.closing(H2(ng.h2_port)) as c:
            s = c.open(path, body=data)
            c.run(until=lambda: s.over)
            is_(s.status, 200, f"h2, {size} bytes: answered")
            is_(c.get("/next").status, 200, f"h2, {size} bytes: the connection goes on")
        victim(path, f"h2, {size} bytes")
    ok(not any(r.target == "/evil" for r in origin.requests), "the origin saw nothing of its own")
