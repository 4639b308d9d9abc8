#!/usr/bin/env python3
"""1xx of the origin: skipped, 102 and 103 handed on, the answer stored as if they had not been there."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

import socket

FINAL = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nCache-Control: max-age=60\r\nX-Final: 1\r\n\r\nok"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nX-Hint: 1\r\nConnection: close\r\n\r\n"


def raw(port, path, version="1.1"):
    with socket.create_connection(("127.0.0.1", port), 10) as s:
        s.sendall(f"GET {path} HTTP/{version}\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        out = b""
        while more := s.recv(65536):
            out += more
        return out


with scenario() as t:
    origin, second = t.origin(), t.origin()
    cases = {
        "one": [HINTS + FINAL],
        "apart": [HINTS, FINAL],
        "bytes": [bytes([b]) for b in HINTS + FINAL],
        "lf": [HINTS.replace(b"\r\n", b"\n") + FINAL],
        "many": [HINTS * 5 + b"HTTP/1.1 100 Continue\r\n\r\n" + b"HTTP/1.1 102 Processing\r\n\r\n" + FINAL],
        "folded": [b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n b: c\r\nX y: z\r\n\r\n" + FINAL],
        "bare": [b"HTTP/1.1 103\r\n\r\n" + FINAL],
        "none": [FINAL],
    }

    @origin.route("/*")
    def _(req):
        for part in cases[req.path.strip("/").split("/")[-1]]:
            req.send(part)
            if len(cases[req.path.strip("/").split("/")[-1]]) > 1:
                time.sleep(0.002)

    @origin.route("/next/*")
    def _(req):
        req.send(HINTS)
        req.close()

    @second.route("/*")
    def _(req):
        req.send(HINTS + FINAL)

    @origin.route("/huge")
    def _(req):
        req.send(HINTS * 1000 + FINAL)

    ng = t.nginx(origin, http=f"upstream two {{ server %ORIGIN% max_fails=0; server {second.address} backup; }}",
                 locations="location /next/ { strata_cache z; proxy_pass http://two; }")
    hints = {"none": 0, "many": 6}
    for name in cases:
        got = raw(ng.port, f"/{name}")
        is_(got.count(b"HTTP/1.1 10"), hints.get(name, 1), f"{name}: interim responses handed on")
        ok(got.endswith(b"\r\n\r\nok") and b"X-Final: 1" in got, f"{name}: then the answer")
        ok(b"X-Hint" not in got.rpartition(b"HTTP/1.1 200")[2], f"{name}: without fields of a hint")
        ok(b"\n b: c" not in got and b"X y" not in got, f"{name}: lines that are no fields are left out")
        r = ng.get(f"/{name}")
        is_((r.status, r.body, r.cache, r.get("X-Hint")), (200, b"ok", "HIT", None), f"{name}: stored")
    old = raw(ng.port, "/one?old", "1.0")
    is_(old.count(b"HTTP/1.1 "), 1, "an HTTP/1.0 client gets the answer alone")
    got = raw(ng.port, "/next/x")
    ok(got.endswith(b"ok"), "a hint, then nothing: the next server is asked")
    is_(ng.get("/next/x").cache, "HIT", "and its answer stored")
    is_(ng.get("/huge").status, 502, "more than fits into proxy_buffer_size")
    ng.allowed.append("too big header|prematurely closed")
