#!/usr/bin/env python3
"""strata_kv: the values of a zone over HTTP: every method, conditions, bulk, and who may."""
import json, pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

TOKEN, READER, SCOPED = "Xk3zU8x2mQ7dT1vB9sYw", "r0Lw8sVnR4tKc2eJ6hZa", "s0Lw8sVnR4tKc2eJ6hZa"

with scenario() as t:
    ng = t.nginx(zone="z 4m", only="""
        location /kv/ { strata_kv z; strata_api_token %DIR%/tokens; client_max_body_size 10m; }
        location /touch/ { strata_kv z touch=on max_value=1k; strata_api_token %DIR%/tokens; }
        location /open/ { strata_kv z touch=off; }
        location /allowed/ { strata_kv z; allow 127.0.0.1; deny all; }
        location = /lua { strata_content_by_lua_block {
            local z = strata.zone("z")
            z:set("from-lua", { a = 1 }, { codec = "json" })
            return tostring(z:get("number")) .. " " .. tostring((z:get("json") or {}).b) .. " " .. type(z:get("text")) } }
        """, start=False)
    ng.file("tokens", f"{TOKEN}\n{READER} read\n{SCOPED} prefix=mine:\n")
    ng.start()

    def kv(method, key, body=None, token=TOKEN, where="/kv/", **headers):
        h = {k.replace("_", "-"): v for k, v in headers.items()}
        if token:
            h["Authorization"] = f"Bearer {token}"
        return ng.request(where + key, method, headers=h, body=body)

    def same(r, status, body=None, **fields):
        got = (r.status, r.body if body is not None else None, *(r.get(k.replace("_", "-")) for k in fields))
        is_(got, (status, body, *fields.values()), f"{status} {body} {fields}")
        return r

    # who
    is_([kv("GET", "a", token=None, where=w).status for w in ("/kv/", "/open/", "/allowed/")], [401, 403, 404], "nobody, unless told so")
    is_([kv("PUT", "a", b"1", token=None, where=w).status for w in ("/kv/", "/open/", "/allowed/")], [401, 403, 403], "to write needs a token")
    is_([kv(m, "a", b"1", token=READER).status for m in ("GET", "PUT", "DELETE", "PATCH", "POST")], [404, 403, 403, 403, 403], "a reader's token")
    is_(kv("GET", "a", Origin="http://evil.example").status, 403, "not from another site")
    is_([kv("PUT", k, b"1", token=SCOPED).status for k in ("mine:1", "yours:1", "_bulk")], [204, 403, 403], "a token with a scope")
    is_(kv("PATCH", "yours:1?incr=1", token=SCOPED).status, 403, "whatever the method")

    # one value
    same(kv("GET", "text"), 404)
    same(kv("PUT", "text", b"hello"), 204)
    same(kv("GET", "text"), 200, b"hello", Content_Type="application/octet-stream", Cache_Control="no-store", X_TTL=None)
    r = kv("HEAD", "text")
    is_((r.status, r.body, r.get("Content-Length")), (200, b"", "5"), "HEAD")
    same(kv("PUT", "a/b%2Fc%20d?ttl=100", b"slashes"), 204)
    same(kv("GET", "a/b%2Fc%20d"), 200, b"slashes", X_TTL="100")
    same(kv("GET", "a/b/c d".replace(" ", "%20")), 200, b"slashes")
    same(kv("PUT", "empty", b""), 204)
    same(kv("GET", "empty"), 200, b"")
    blob = bytes(range(256)) * 1000
    same(kv("PUT", "blob", blob), 204)
    ok(kv("GET", "blob").body == blob, "bytes are bytes, also through a file")
    same(kv("PUT", "json", b'{"b":[1,2]}', Content_Type="application/json"), 204)
    same(kv("GET", "json"), 200, b'{"b":[1,2]}', Content_Type="application/json")
    same(kv("PUT", "json", b'{"b":', Content_Type="application/json"), 400)
    same(kv("PUT", "text", b"new", If_None_Match="*"), 412)
    same(kv("PUT", "added", b"new", If_None_Match="*"), 201)
    same(kv("PUT", "none", b"new", If_Match="*"), 412)
    same(kv("PUT", "added", b"newer", If_Match="*"), 204)
    same(kv("GET", "added"), 200, b"newer")
    same(kv("DELETE", "added"), 204)
    same(kv("DELETE", "added"), 404)
    same(kv("PUT", "day?ttl=day", b"x"), 204)
    ok(0 < int(kv("GET", "day").get("X-TTL")) <= 90000, "to the end of the day")
    same(kv("PATCH", "text?ttl=50"), 204)
    same(kv("GET", "text"), 200, b"hello", X_TTL="50")
    same(kv("PATCH", "text?ttl="), 204)
    same(kv("GET", "text"), 200, b"hello", X_TTL=None)
    same(kv("PATCH", "nothing?ttl=50"), 404)
    same(kv("POST", "number?incr=5&init=0&ttl=60"), 200, b"5")
    same(kv("PATCH", "number?incr=-1.5"), 200, b"3.5")
    same(kv("GET", "number"), 200, b"3.5", Content_Type="text/plain")
    same(kv("PATCH", "huge?incr=9007199254740990&init=0"), 200, b"9007199254740990")
    same(kv("PATCH", "huge?incr=1"), 200, b"9007199254740991")
    same(kv("PATCH", "part?incr=0.1&init=0.2"), 200, b"0.30000000000000004")
    same(kv("PATCH", "part?incr=-0.2"), 200, b"0.10000000000000003")
    same(kv("PATCH", "large?incr=1e300&init=0"), 200, b"1e+300")
    same(kv("PATCH", "nope?incr=1"), 404)
    same(kv("PATCH", "text?incr=1"), 409)
    same(kv("PUT", "tagged?tags=a,b", b"x"), 204)
    for bad in ("text?incr=x", "text?ttl=-1", "text?ttl=soon", "text", "text?incr=inf", "text?incr=nan", "text?ttl=1&ttl=2", "text?incr=1&incr=2"):
        same(kv("PATCH", bad), 400)
    for bad in ("t?ttl=0", "t?ttl=5&ttl=6", "t?ttl=inf", "t?grace=-1", "t?tags=a&tags=b%20c"):
        same(kv("PUT", bad, b"x"), 400)
    same(kv("PUT", "t?tags=a&tags=b,c", b"x"), 204)
    same(kv("PUT", "x" * 1025, b"x"), 400)
    same(kv("GET", ""), 400)
    same(kv("OPTIONS", "text"), 405, Allow="GET, HEAD, PUT, POST, PATCH, DELETE")
    same(kv("PUT", "big", b"x" * 1_100_000), 413)
    same(kv("PUT", "big", b"x" * 900_000), 507)
    auth = f"Host: localhost\r\nAuthorization: Bearer {TOKEN}\r\n".encode()
    for n in (0, 1, 700, 1500, 6000, 10000, 60000):
        text = (b"0123456789" * n)[:n]
        for head, body in ((b"Content-Length: %d\r\n" % n, text),
                           (b"Transfer-Encoding: chunked\r\n", (b"%x\r\n%s\r\n" % (n, text) if n else b"") + b"0\r\n\r\n")):
            with ng.conn() as conn:
                conn.send(b"PUT /kv/body HTTP/1.1\r\n" + auth + head + b"\r\n" + body)
                ok(conn.read().status == 204 and kv("GET", "body").body == text, f"{n} bytes with the header, {head.split()[0].decode()}")
    is_(json.loads(kv("GET", "missing").body), {"error": 404, "reason": "not found"}, "errors are JSON")

    # sliding life
    same(kv("PUT", "s?ttl=50", b"x", where="/touch/"), 204)
    same(kv("PATCH", "s?ttl=5", where="/touch/"), 204)
    same(kv("GET", "s", where="/touch/"), 200, b"x", X_TTL="50")
    same(kv("PUT", "s", b"x" * 1025, where="/touch/"), 413)

    # many
    def bulk(what, status=200):
        r = kv("POST", "_bulk", json.dumps(what).encode())
        is_(r.status, status, f"bulk {str(what)[:40]}")
        return json.loads(r.body)

    is_(bulk({"set": {"b1": "one", "b2": 2}, "ttl": 60}), {"set": 2}, "set many")
    is_(bulk({"get": ["b1", "b2", "b3", "json"]}), {"values": {"b1": "one", "b2": 2, "json": {"b": [1, 2]}}}, "get many")
    is_(bulk({"get": []}), {"values": {}}, "or none")
    is_(bulk({"delete": ["b1", "b2", "b3"]}), {"deleted": 2}, "delete many")
    for bad in ({}, {"get": "x"}, {"get": [{}]}, {"set": {"a": {}}}, {"get": ["x"] * 1001}, 7):
        bulk(bad, 400)
    bulk({"set": {f"s{i}": 1 for i in range(1001)}}, 400)
    is_(bulk({"get": [f"s{i}" for i in range(1000)]}), {"values": {}}, "of too many none is set")
    same(kv("POST", "_bulk", b"{"), 400)
    same(kv("GET", "_bulk"), 405, Allow="POST")

    # the same values as scripts have
    ok(ng.get("/lua").body.startswith(b"3.5 table: ") and ng.get("/lua").body.endswith(b" string"), "scripts see them")
    same(kv("GET", "from-lua"), 200, b'{"a":1}')
    codes = [th.join() for th in [in_thread(lambda: [kv("POST", "hits?incr=1&init=0").status for _ in range(10)]) for _ in range(20)]]
    is_(set(sum(codes, [])), {200}, "20 clients")
    same(kv("GET", "hits"), 200, b"200")

    for bad, text in (("strata_kv", "invalid number of arguments"), ("strata_kv nozone", "nozone"), ("strata_kv z touch=yes", "touch=yes"),
                      ("strata_kv z max_value=2m", "max_value=2m"), ("strata_api; strata_kv z", "conflicts")):
        message = t.config_error(server=f"location /q {{ {bad}; }}")
        ok(message and text in message, f"{bad}: {str(message)[:100]}")
