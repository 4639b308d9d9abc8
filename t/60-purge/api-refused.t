#!/usr/bin/env python3
"""POST /purge refuses what it does not know: bodies, sizes, every control byte (T-38)."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

import json, socket

TOKEN = "test-token-0123456789"

with scenario() as t:
    origin = t.origin()
    origin.reply("/*", Reply(b"x", cc="max-age=60"))
    ng = t.nginx(origin, server="client_max_body_size 4m; client_body_buffer_size 4k;", locations="""
        location /api { strata_api write=on; strata_api_token %DIR%/tokens; }""", start=False)
    ng.file("tokens", TOKEN)
    ng.start()
    ng.fill("/a")

    def purge(body, type="application/json", **kw):
        headers = [("Authorization", f"Bearer {TOKEN}")] + ([("Content-Type", type)] if type else [])
        r = ng.request("/api/purge", "POST", body=body, headers=headers, **kw)
        return r, (json.loads(r.body) if r.get("Content-Type") == "application/json" else {})

    for body, field, reason in (
            (b"", None, "no body"), (b"{", None, "not JSON"), (b"{}", None, "nothing to purge"),
            (b"[]", None, "not an object"), (b'{"regex": ".*"}', "regex", "unknown field"),
            (b'{"tags": []}', "tags", "empty"), (b'{"tags": ["a"], "tags": ["b"]}', None, "not JSON"),
            (b'{"tags": ["a"], "keys": ["b"]}', None, "a second subject"),
            (b'{"all": "yes"}', "all", "not true"), (b'{"match": "[a"}', "match", "not a pattern"),
            (b'{"urls": ["/a"]}', "/a", "not an absolute URL"),
            (b'{"urls": ["http://a/#f"]}', "http://a/#f", "not an absolute URL"),
            (b'{"group": "none"}', "none", "no such strata_purge_group"),
            (b'{"tags": ["a"], "mode": "soft"}', "mode", "unknown"),
            (b'{"tags": ["a"], "wait": "long"}', "wait", "unknown"),
            (b'{"tags": ["a"], "delay": "2d"}', "delay", "not a time up to 24h"),
            (b'{"tags": ["\xff"]}', None, "not JSON"),
            (b'{"tags": ["\\ud800"]}', None, "not JSON"),
            (json.dumps({"keys": ["k"] * 1001}).encode(), "keys", "too many"),
            (json.dumps({"prefix": ["k"] * 17}).encode(), "prefix", "too many"),
            (json.dumps({"tags": ["t" * 129]}).encode(), "tags", "too long"),
            (json.dumps({"keys": ["t" * 8193]}).encode(), "keys", "too long"),
            (json.dumps({"prefix": "t" * 257}).encode(), "prefix", "too long"),
            (b"[" * 100 + b"]" * 100, None, "not JSON")):
        r, j = purge(body)
        is_((r.status, j.get("error"), j.get("reason")), (400, "bad_request", reason), body[:60])
        if field:
            is_(j.get("field"), field, "it says where")

    note("byte sweep")
    good = bad = 0
    for kind in "keys", "tags", "prefix", "match", "namespace":
        for c in list(range(0x20)) + [0x7f]:
            for s in chr(c) + "a", "a" + chr(c), "a" + chr(c) + "b":
                value = s if kind == "namespace" else [s]
                r, j = purge(json.dumps({kind: value}).encode())
                if (r.status, j.get("reason")) == (400, "has a control character"):
                    good += 1
                else:
                    bad += 1
                    note(f"{kind} {s!r}: {r.status} {r.body}")
    is_((good, bad), (5 * 33 * 3, 0), "no control byte anywhere")
    raw_ok = 0
    for c in range(0x20):
        r, j = purge(b'{"tags": ["a' + bytes([c]) + b'b"]}')
        raw_ok += (r.status, j.get("reason")) == (400, "not JSON")
    is_(raw_ok, 0x20, "none unescaped")
    special = 0
    for s in "*", "?", "[a]", "a*", "\\", "'", '"', "a b", "%00", "%0d%0a", "$1", "{a}", "é", "\U0001f600":
        r, j = purge(json.dumps({"tags": [s]}).encode())
        special += r.status == 200
        r, j = purge(json.dumps({"keys": [s]}).encode())
        special += r.status == 200
    is_(special, 28, "others are letters like any other")
    is_(ng.get("/a").cache, "HIT", "and purge nothing but themselves")

    note("sizes and types")
    r, j = purge(b'{"tags": ["a"], "x": "' + b"y" * (1 << 20) + b'"}')
    is_((r.status, j.get("error")), (413, "too_large"), "more than 1 MB")
    body = json.dumps({"keys": ["k" * 1000] * 900}).encode()
    r, j = purge(body)
    is_((r.status, j.get("subjects")), (200, 900), "900 KB, through a file")
    r, j = purge(b'{"tags": ["a"]}', "text/plain")
    is_((r.status, j.get("error")), (415, "unsupported_type"), "text/plain")
    r, j = purge(b'{"tags": ["a"]}', "application/x-www-form-urlencoded")
    is_(r.status, 415, "a form")
    r, j = purge(b'{"tags": ["a"]}', "application/jsonp")
    is_(r.status, 415, "a type that begins like it")
    r, j = purge(b'{"tags": ["a"]}', "Application/JSON; charset=utf-8")
    is_(r.status, 200, "with a parameter")
    r, j = purge(b'{"tags": ["a"]}', None)
    is_(r.status, 200, "no type")
    def chunked(*parts, end=b"0\r\n\r\n"):
        with ng.conn() as c:
            c.send(f"POST /api/purge HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\n"
                   "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
            for part in parts:
                c.send(b"%x\r\n%s\r\n" % (len(part), part))
            c.send(end)
            return c.read()

    is_(chunked(b'{"tags"', b': ["a"', b"]}").status, 200, "in chunks")
    is_(chunked(*[b'{"']).status, 400, "half of it")
    r = chunked(b'{"tags": ["a"], "x": "', *[b"y" * 65536] * 17, b'"}')
    is_((r.status, json.loads(r.body)["error"]), (413, "too_large"), "more than 1 MB in chunks")
    is_(chunked(b'{"tags": ["a"]}', end=b"x\r\n").status, 400, "a chunk without a size")
    sock = socket.create_connection(("127.0.0.1", ng.port), 30)
    sock.sendall(f"POST /api/purge HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\nExpect: 100-continue\r\n"
                 "Connection: close\r\nContent-Length: 15\r\n\r\n".encode())
    like(sock.recv(100), b"^HTTP/1.1 100 ", "Expect: 100-continue")
    sock.sendall(b'{"tags": ["a"]}')
    like(sock.makefile("rb").read(), b"^HTTP/1.1 200 ", "then the body")
    sock.close()
    for n in range(30):
        c = ng.conn()
        c.send(f"POST /api/purge HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 1000\r\n\r\n"
               .encode() + b'{"all": true}' * (n % 3))
        c.reset() if n % 2 else c.close()
    is_(ng.get("/a").cache, "HIT", "what half a body says is not carried out")
    with ng.conn() as c:
        for i in range(3):
            r = c.request("/api/purge", "POST", body=b'{"tags": ["a"]}', headers=[
                ("Authorization", f"Bearer {TOKEN}"), ("Content-Type", "application/json")])
            is_(r.status, 200, "on one connection")
            is_(c.request("/api/none", "POST", body=b"x" * 100000).status, 401, "refused, its body dropped")
