#!/usr/bin/env python3
"""What RFC 9111 says of directives with fields, HEAD, 304s, statuses and odd framing, and nothing else tests."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    n = {}

    def reply(path, *replies):
        """One answer after the other; the last one stays."""
        n[path] = 0

        @origin.route(path)
        def _(req):
            n[path] += 1
            r = replies[min(n[path], len(replies)) - 1]
            return r(req) if callable(r) else r

    proxy = "proxy_pass http://%ORIGIN%; proxy_http_version 1.1;"
    ng = t.nginx(origin, "strata_jitter off; strata_keep 60s;", locations=f"""
        location /get/ {{ strata_cache z; strata_methods GET; strata_jitter off; strata_keep 60s; {proxy} }}
        location /noinv/ {{ strata_cache z; strata_methods GET; strata_invalidate off; {proxy} }}
        location /one/ {{ strata_cache z; {proxy.replace('1.1', '1.0')} }}
        location /grace/ {{ strata_cache z; strata_jitter off; strata_grace 60s; {proxy} }}""")

    # 5.2.2.4 and 5.2.2.7: a list of fields
    for cc, gone in (('max-age=60, no-cache="X-A"', "X-A"), ('max-age=60, private="x-a, X-Else"', "X-A"),
                     ("max-age=60, private=X-A", "X-A"), ('private="X-A", max-age=60, no-cache="X-B"', "X-A X-B")):
        path = f"/list/{len(n)}"
        reply(path, Reply(b"x", cc=cc, headers=[("X-A", "1"), ("X-B", "2"), ("x-a", "3"), ("X-C", "4")]))
        r = ng.fill(path)
        is_((r.store, r.all("X-A"), r.get("X-B")), ("STORED", ["1", "3"], "2"), f"{cc}: whose fetch it is gets all")
        r = ng.get(path)
        is_((r.cache, r.all("X-A"), r.get("X-B"), r.get("X-C")),
            ("HIT", [], None if "X-B" in gone else "2", "4"), f"{cc}: the others not")
    gate = Gate()

    @origin.route("/list/shared")
    def _(req):
        gate.wait()
        return Reply(b"x" * 100, cc='max-age=60, private="X-User"', headers=[("X-User", "first")])

    conns = [t.keep(ng.conn()) for _ in range(5)]
    for c in conns:
        c.send(build("/list/shared"))
    gate.arrived(1)
    wait_until(lambda: ng.count("waiters") == 4, 3)
    gate.open()
    got = [r.get("X-User") for r in read_all(conns)]
    is_(sorted(x or "-" for x in got), ["-"] * 4 + ["first"], "who waited does not get it")
    for cc in ('max-age=60, private="ETag"', 'max-age=60, private="X-A", private', "max-age=60, private=\"X A\""):
        path = f"/list/{len(n)}"
        reply(path, Reply(b"x", cc=cc))
        is_(ng.fill(path).why, "private", f"{cc}: as without a list")
    reply("/list/none", Reply(b"x", cc='max-age=60, no-cache="Content-Type"'))
    is_(ng.fill("/list/none").why, "no-cache", "no-cache of what the rest is read by")
    e = [("ETag", '"e"')]
    reply("/list/304", Reply(b"x", cc='max-age=1, no-cache="X-A"', headers=e + [("X-A", "1"), ("X-B", "1")]),
          Reply(b"", 304, headers=e + [("X-A", "2"), ("X-B", "2")]),
          Reply(b"", 304, cc='max-age=1, no-cache="X-B"', headers=e + [("X-A", "3"), ("X-B", "3")]),)
    ng.fill("/list/304")
    time.sleep(1.1)
    r = ng.fill("/list/304")
    is_((r.cache, r.get("X-A"), r.get("X-B")), ("REVALIDATED", "2", "2"), "304: who asked gets it")
    r = ng.get("/list/304")
    is_((r.cache, r.get("X-A"), r.get("X-B")), ("HIT", None, "2"), "304: the others not, the list still counts")
    time.sleep(1.1)
    ng.fill("/list/304")
    r = ng.get("/list/304")
    is_((r.cache, r.get("X-A"), r.get("X-B")), ("HIT", "3", None), "304 with another list")

    # 5.2.2: the other directives
    for cc, want in (("must-understand, no-store, max-age=60", "HIT"), ("max-age=60, immutable", "HIT"),
                     ("max-age=60, foo=bar, no-transform", "HIT"), ("max-age=60, proxy-revalidate", "HIT")):
        path = f"/cc/{len(n)}"
        reply(path, Reply(b"x", cc=cc))
        ng.fill(path)
        is_(ng.get(path).cache, want, cc)
    reply("/cc/299", Reply(b"x", 299, cc="must-understand, max-age=60"))
    is_(ng.fill("/cc/299").why, "status", "must-understand of a status nobody knows")
    for cc in ("s-maxage=1, stale-while-revalidate=60, stale-if-error=60", "max-age=1, proxy-revalidate",
               "max-age=1, must-revalidate, stale-while-revalidate=60"):
        path = f"/grace/{len(n)}"
        reply(path, Reply(b"1", cc=cc), Reply(b"2", cc=cc), lambda req: req.close())
        ng.fill(path)
        time.sleep(1.1)
        is_((ng.fill(path).body), b"2", f"{cc}: never stale")
        time.sleep(1.1)
        is_((ng.fill(path).status), 502, f"{cc}: not even if the origin is dead")

    # 4.3.5: a HEAD that goes to the origin
    lm, lm2 = "Tue, 15 Nov 2022 12:45:26 GMT", "Tue, 15 Nov 2022 12:45:27 GMT"
    for i, (headers, body, want) in enumerate(((e, b"x" * 10, "HIT"), ([("ETag", '"f"')], b"x" * 10, "EXPIRED"),
                                               (e, b"x" * 11, "EXPIRED"), ([], b"x" * 10, "HIT"),
                                               ([("Last-Modified", lm2)], b"x" * 10, "EXPIRED"),
                                               ([("Last-Modified", lm)], b"x" * 10, "HIT"))):
        for where in "/get/", "/noinv/":
            path = f"{where}head{i}"
            reply(path, Reply(b"x" * 10, cc="max-age=60", headers=e + [("Last-Modified", lm)]),
                  Reply(body, cc="max-age=60", headers=headers))
            ng.fill(path)
            r = ng.fill(path, method="HEAD")
            is_((r.cache, r.why, origin.last(path).method), ("PASS", "method", "HEAD"), f"{path}: HEAD passes")
            is_(ng.fill(path).cache, want if where == "/get/" else "HIT", f"{path}: {headers} {len(body)} bytes")
    reply("/get/404", Reply(b"x", cc="max-age=60"), Reply(b"", 404))
    ng.fill("/get/404"), ng.fill("/get/404", method="HEAD")
    is_(ng.get("/get/404").cache, "HIT", "only a 200 counts")

    @origin.route("/get/vary")
    def _(req):
        return Reply(b"1" if req.method == "GET" else b"22", cc="max-age=60", headers=[("Vary", "X-L")])

    for lang in "de", "en":
        ng.fill("/get/vary", headers={"X-L": lang})
    ng.fill("/get/vary", method="HEAD", headers={"X-L": "de"})
    is_([ng.get("/get/vary", headers={"X-L": x}).cache for x in ("en", "de")], ["HIT", "EXPIRED"], "of the variant")

    reply("/get/own", Reply(b"x", cc="max-age=60", headers=e), Reply(b"", cc="max-age=60", headers=[("ETag", '"f"')]))
    for name in "Cookie", "Authorization":
        ng.fill("/get/own"), ng.fill("/get/own", method="HEAD", headers={name: "Basic eDp5"})
        is_(ng.get("/get/own").cache, "HIT", f"HEAD with {name}: its answer may be somebody's own")

    # a status nobody knows: an error of one's own is not what those get who wait
    gate = Gate()

    @origin.route("/cc/520")
    def _(req):
        gate.wait()
        return Reply(req.get("X-User").encode(), 520, cc="private, must-understand")

    rs = [in_thread(lambda i=i: ng.get("/cc/520", headers={"X-User": f"u{i}"})) for i in range(4)]
    ok(gate.arrived(), "private, must-understand: one asks")
    ok(wait_until(lambda: ng.status()["waiters"] == 3), "three wait")
    gate.open()
    is_([r.join().body for r in rs], [b"u%d" % i for i in range(4)], "each has its own answer")

    # RFC 9110, 15.4.5: what a 304 has to say
    said = [("ETag", '"e"'), ("Vary", "X-L"), ("Content-Location", "/cl"), ("Expires", "Fri, 31 Dec 2049 23:59:59 GMT")]
    reply("/304", Reply(b"x", cc="max-age=60", headers=said))
    ng.fill("/304")
    r = ng.get("/304", headers={"If-None-Match": '"e"'})
    is_([r.status] + [r.get(name) for name, _ in said] + [r.get("Cache-Control")],
        [304] + [value for _, value in said] + ["max-age=60"], "304: its fields")
    ok(r.get("Date") and r.get("Content-Length") is None and r.get("Content-Type") is None, "304: and no others")

    # statuses about a range, which nobody asked for
    for status in 206, 416:
        path = f"/s/{status}"
        reply(path, Reply(b"x", status, cc="max-age=60", headers=[("Content-Range", "bytes 0-0/1")]))
        r = ng.fill(path, headers={"Range": "bytes=0-0"})
        is_((r.status, r.why, origin.last(path).get("Range")), (status, "partial" if status == 206 else "status", None),
            f"{status}: passed on, not stored")
    reply("/r", Reply(b"0123456789", cc="max-age=60", headers=[("ETag", 'W/"w"'), ("Last-Modified", lm)]))
    ng.fill("/r")
    for value, status in (('W/"w"', 200), ('"w"', 200), (lm, 206), (lm2, 200)):
        is_(ng.get("/r", headers={"Range": "bytes=1-2", "If-Range": value}).status, status, f"If-Range: {value}")

    # odd framing
    @origin.route("/trailer")
    def _(req):
        req.send("HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTrailer: X-T\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "3\r\nabc\r\n0\r\nX-T: 1\r\nCache-Control: no-store\r\n\r\n")
        return None

    r = ng.fill("/trailer")
    is_((r.body, r.get("X-T"), r.get("Trailer")), (b"abc", None, None), "trailers are not the header's")
    r = ng.get("/trailer")
    is_((r.cache, r.body, r.get("X-T"), r.get("Trailer")), ("HIT", b"abc", None, None), "nor stored")

    @origin.route("/one/length")
    def _(req):
        req.send("HTTP/1.0 200 OK\r\nExpires: Fri, 31 Dec 2049 23:59:59 GMT\r\nContent-Length: 3\r\n\r\nabc")
        return None

    @origin.route("/one/eof")
    def _(req):
        req.send("HTTP/1.0 200 OK\r\nCache-Control: max-age=60\r\n\r\nabc")
        return None

    is_((ng.fill("/one/length").body, ng.get("/one/length").cache), (b"abc", "HIT"), "HTTP/1.0 with a length")
    r = ng.fill("/one/eof")
    is_((r.body, r.why), (b"abc", "no-length"), "HTTP/1.0 without one")
