#!/usr/bin/env python3
"""strata_key_body: POST, QUERY and GET with a body, cached by their body."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

import hashlib

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        said = f"{req.method} {req.get('Content-Type')} {req.get('Content-Length')} "
        return Reply(said.encode() + hashlib.sha256(req.body).hexdigest().encode(), cc="max-age=60",
                     headers=[("ETag", '"e"')] + ([("Location", "/p")] if req.path == "/to-p" else []))

    cached = "strata_methods GET HEAD POST QUERY; strata_key_body on max=40k; strata_purge 1;"
    ng = t.nginx(origin, cached + " client_body_buffer_size 8k;", h2=True,
                 http="add_header X-Key $strata_key always; map $request_body $mutates { default 0; zz 1; }", locations="""
        location /json/ { strata_cache z; strata_methods GET POST; strata_key_body on json=canonical;
                          proxy_pass http://%ORIGIN%;
                          location /json/off/ { strata_cache z; strata_key_body off;
                                                proxy_pass http://%ORIGIN%; } }
        location /var/ { strata_cache z; strata_methods POST; strata_key_body on json=canonical; strata_bypass $mutates;
                         proxy_set_header X-Body $request_body; proxy_pass http://%ORIGIN%; }
        location /get/ { strata_cache z; strata_key_body on; proxy_pass http://%ORIGIN%; }""")

    def post(path, body=b"", method="POST", how=ng.request, **headers):
        return how(path, method=method, body=body,
                   headers={n.replace("_", "-"): v for n, v in headers.items()})

    def fill(*a, **kw):
        return post(*a, how=ng.fill, **kw)

    def want(method, body, type_=None):
        return f"{method} {type_} {len(body)} {hashlib.sha256(body).hexdigest()}".encode()

    # each body, method and type is a key of its own
    bodies = [b"", b"a", b"b", b"\0", b"a\0", b"a=1&b=2", b"x" * 7000, b"x" * 7001,
              blob("file", 20_000), blob("limit", 40 * 1024)]
    for body in bodies:
        for method in "POST", "QUERY":
            r = fill("/a", body, method)
            is_((r.cache, r.body), ("MISS", want(method, body)), f"{method} {len(body)}: miss")
    for body in bodies:
        for method in "POST", "QUERY":
            r = post("/a", body, method)
            is_((r.cache, r.body), ("HIT", want(method, body)), f"{method} {len(body)}: hit")
    is_(origin.count("/a"), 2 * len(bodies), "one fetch each")
    is_(fill("/a", b"a", Content_Type="text/x").body, want("POST", b"a", "text/x"), "the type is in the key")
    is_(post("/a", b"a", Content_Type="text/x").cache, "HIT", "and matters no more")
    is_(post("/a", b"a", Content_Encoding="gzip").cache, "MISS", "so is the coding")
    like(post("/a", b"a").get("X-Key"), r"\|/a\|\|POST\|body=" + hashlib.sha256(b"a").hexdigest() + "$",
         "the readable key")

    # what variables say of the body is what was hashed
    fill("/var/a", b'{"b": 1, "a": 2}', Content_Type="application/json")
    is_(origin.last("/var/a").get("X-Body"), '{"a":2,"b":1}', "$request_body is the form, though it was read before")

    # never for a GET, nor the other way round
    is_(ng.fill("/a").cache, "MISS", "GET is another")
    is_((ng.get("/a").body, ng.get("/a").cache), (b"GET None None " + hashlib.sha256(b"").hexdigest().encode(), "HIT"),
        "GET has its own answer")
    is_(ng.request("/a", "HEAD").cache, "HIT", "HEAD is GET's")
    is_((fill("/get/a", b"q", "GET").body, post("/get/a", b"q", "GET").cache), (want("GET", b"q"), "HIT"),
        "GET with a body")
    is_(ng.fill("/get/a").cache, "MISS", "GET without is another")
    is_(post("/get/a", b"q").why, "method", "POST is not in strata_methods there")
    is_(post("/a", b"q", "HEAD").why, "body", "HEAD with a body passes")
    is_(post("/json/off/a", b"q").why, "body", "off undoes it")

    # chunked, and HTTP/2 without a length
    r = ng.request("/a", "POST", headers={"Transfer-Encoding": "chunked"}, body=b"1\r\na\r\n0\r\n\r\n")
    is_((r.cache, r.body), ("HIT", want("POST", b"a")), "chunked: the same body")
    r = ng.request("/c", "POST", headers={"Transfer-Encoding": "chunked"}, body=b"3\r\nabc\r\n0\r\n\r\n")
    is_((r.cache, r.body), ("MISS", want("POST", b"abc")), "chunked: goes out with a length")
    ng.quiet()
    ng.file("big", bodies[-1])
    for i in "MISS", "HIT":
        r = ng.curl("/h2", "--data-binary", f"@{ng.dir}/big", "-H", "Content-Type:", h2=True)
        is_((r.cache, r.body), (i, want("POST", bodies[-1])), f"HTTP/2: {i}")
        ng.quiet()
    with ng.conn() as c:
        c.send(b"POST /a HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n")
        like(c.sock.recv(100).decode(), "^HTTP/1.1 100 Continue", "Expect: 100-continue")
        c.send(b"a")
        is_(c.read().cache, "HIT", "and the body")
        c.send(build("/a", "POST", body=b"a") + build("/a", "POST", body=b"b") + build("/a"))
        is_([c.read().body for _ in "123"], [want("POST", b"a"), want("POST", b"b"), ng.get("/a").body],
            "in a pipeline")
        for part in b"POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 7000\r\n\r\n", b"x" * 3000, b"x" * 3999:
            c.send(part)
            time.sleep(0.05)
        c.send(b"x")
        r = c.read()
        is_((r.cache, r.body), ("HIT", want("POST", b"x" * 7000)), "a body that comes in parts")

    # too large: nginx's ordinary path, whole
    big = blob("big", 40 * 1024 + 1)
    for how in {}, {"Transfer-Encoding": "chunked"}:
        raw = b"%x\r\n%s\r\n0\r\n\r\n" % (len(big), big) if how else big
        for i in 1, 2:
            r = ng.request("/big", "POST", headers=how, body=raw)
            is_((r.cache, r.why, r.body.split()[-1]), ("PASS", "body", hashlib.sha256(big).hexdigest().encode()),
                f"too large {i} {how}")

    # a client that leaves does not spoil the fetch, one that leaves in its body starts none
    gate = Gate()

    @origin.route("/slow")
    def _(req):
        gate.wait()
        return Reply(req.body, cc="max-age=60")

    c = ng.conn()
    c.send(build("/slow", "POST", body=b"slow" * 1000))
    ok(gate.arrived(), "slow: its fetch is under way")
    others = [ng.conn() for _ in range(5)]
    for o in others:
        o.send(build("/slow", "POST", body=b"slow" * 1000))
    ok(wait_until(lambda: ng.count("waiters") == 5), "slow: others wait")
    c.reset()
    gate.open()
    is_({(r.cache, r.body) for r in read_all(others)}, {("COLLAPSED", b"slow" * 1000)}, "slow: they are served")
    is_(origin.count("/slow"), 1, "slow: by one fetch")
    c = ng.conn()
    c.send(b"POST /left HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc")
    c.reset()
    is_(ng.quiet(), {}, "a client that leaves in its body")
    is_(origin.count("/left"), 0, "the origin hears nothing")

    # a POST of this kind changes nothing; PURGE and an unsafe method reach all of it
    ng.fill("/p")
    fill("/p", b"1"), fill("/p", b"2"), fill("/p", b"1", "QUERY")
    is_([ng.get("/p").cache, post("/p", b"1").cache], ["HIT", "HIT"], "POST does not invalidate")
    is_(ng.purge("/p").status, 200, "PURGE")
    is_([x.cache for x in (ng.fill("/p"), fill("/p", b"1"), fill("/p", b"2"), fill("/p", b"1", "QUERY"))],
        ["MISS"] * 4, "PURGE: of the URL with all bodies")
    is_(ng.request("/p", "PUT", body=b"x").why, "method", "PUT")
    is_([x.cache for x in (ng.get("/p"), post("/p", b"1"), post("/p", b"2"), post("/p", b"1", "QUERY"))],
        ["MISS"] * 4, "PUT: likewise")
    ng.request("/to-p", "PUT", body=b"x")
    ng.quiet()
    is_([x.cache for x in (ng.get("/p"), post("/p", b"1"))], ["MISS"] * 2, "Location of a PUT: likewise")
    fill("/only", b"1")
    is_((ng.purge("/only").status, ng.purge("/only").status), (200, 404), "PURGE where only a POST is stored")

    # explicit lifetimes only; no conditions, no ranges
    origin.reply("/plain", Reply(b"plain", headers=[("Last-Modified", "Mon, 01 Jan 2001 00:00:00 GMT")]))
    is_((fill("/plain", b"a").cache, post("/plain", b"a").why), ("MISS", "hit-for-miss"), "no lifetime: not stored")
    is_(fill("/plain", b"b").cache, "MISS", "which says nothing of another body")
    origin.reply("/nocache", Reply(b"x", cc="no-cache", headers=[("ETag", '"e"')]))
    fill("/nocache", b"a")
    is_(origin.last("/nocache").get("If-None-Match"), None, "no-cache")
    post("/nocache", b"a")
    is_(origin.last("/nocache").get("If-None-Match"), None, "no-cache: never revalidated")
    r = post("/a", b"a", If_None_Match='"e"')
    is_((r.status, r.cache), (200, "HIT"), "If-None-Match means nothing")
    r = post("/a", b"a", Range="bytes=0-1")
    is_((r.status, r.body), (200, want("POST", b"a")), "nor does Range")
    is_(post("/a", b"a", Cookie="a=1").why, "auth", "credentials pass")

    # json=canonical: one key, and the origin is sent that form
    J = "application/json"
    form = b'{"a":[1,"\xc3\xa9"],"b":null}'
    for i, body in enumerate((b'{"b":null, "a":[1,"\\u00e9"]}', b' {"a":[1,"\xc3\xa9"],\n"b":null}', form)):
        r = fill("/json/a", body, Content_Type=J)
        is_((r.cache, r.body), ("HIT" if i else "MISS", want("POST", form, J)), f"json {i}")
    for body in (b'{"a":1,"a":2}', b'{"a":1, "a":2}', b'{"a":1', b'{"id":9007199254740993}', b'{"id":9007199254740992}',
                 b'{"id":1}', b'{"id":1.0}', b"\xff"):
        r = fill("/json/a", body, Content_Type=J)
        is_((r.cache, r.body), ("MISS", want("POST", body, J)), f"json {body}: of its own")
    for type_ in "text/plain", "application/jsonx":
        is_(fill("/json/a", b"[1, 2]", Content_Type=type_).body, want("POST", b"[1, 2]", type_), f"{type_}: as it is")
    r = fill("/json/a", b"[1, 2]", Content_Type="application/vnd.api+json; charset=utf-8")
    is_(r.body, want("POST", b"[1,2]", "application/vnd.api+json; charset=utf-8"), "+json")
    r = fill("/json/a", b"[1, 2]", Content_Type=J, Content_Encoding="identity")
    is_(r.body, want("POST", b"[1, 2]", J), "what is coded stays as it is")

    for bad in ("yes", "on max=0", "on max=x", "on max=257k", "on json", "on json=sorted", "on graphq"):
        message = t.config_error(only=f"location / {{ strata_key_body {bad}; }}")
        like(message or "accepted", f'invalid value "{bad.split()[-1]}" in "strata_key_body"', f"refused: {bad}")
