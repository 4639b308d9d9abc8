#!/usr/bin/env python3
"""GET and DELETE of keys and tags: lists with a cursor, one entry with its header, what was purged is not there."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

import json, urllib.parse

TOKEN = "test-token-0123456789"
N = 600

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        if req.path == "/gone":
            return Reply(b"", status=404, cc="max-age=60")
        headers = [("Surrogate-Key", "even" if req.path[-1] in "02468" else "odd"), ("X-Own", "v\u00e9"),
                   ("ETag", '"e1"')]
        if req.path == "/vary":
            headers.append(("Vary", "X-A"))
        if req.path == "/cookie":
            headers.append(("Set-Cookie", "secret=canary"))
        return Reply(b"x" * 100, cc="max-age=60, stale-while-revalidate=30", headers=headers)

    ng = t.nginx(origin, locations=f"""
        location /ns/ {{ {CACHE} {PROXY} strata_namespace "n 1"; }}
        location = /cookie {{ {CACHE} {PROXY} strata_set_cookie store; }}
        location = /gone {{ {CACHE} {PROXY} strata_valid 404 1m; }}
        location /api/ {{ strata_api write=on; strata_api_token %DIR%/tokens; }}""", start=False)
    ng.file("tokens", TOKEN)
    ng.start()

    def call(path, method="GET", status=200):
        r = ng.request("/api/" + path, method, headers=[("Authorization", f"Bearer {TOKEN}")])
        is_(r.status, status, f"{method} {path}")
        return json.loads(r.body)

    def key(path):
        return "http|localhost|" + path

    def quote(text):
        return urllib.parse.quote(text, safe="")

    is_(call("keys"), {"keys": [], "cursor": None}, "nothing at first")
    with ng.conn() as c:
        for i in range(N):
            c.request(f"/k/{i}")
    for path in "/ns/a", "/cookie", "/gone", "/a%20b?z=1&y=%7c", "/%ff/":
        ng.fill(path)
    for a in "1", "2":
        ng.get("/vary", headers=[("X-A", a)])
    wait_until(lambda: ng.status()["fetching"] == 0, 5)

    note("pages")
    for limit in 1000, 100, 7:
        seen, cursor, pages = [], "", 0
        while cursor is not None:
            r = ng.request(f"/api/keys?limit={limit}&cursor={cursor}", headers=[("Authorization", f"Bearer {TOKEN}")])
            j = json.loads(r.body)
            seen += [k["key"] for k in j["keys"]]
            cursor, pages = j["cursor"], pages + 1
        is_((len(seen), len(set(seen))), (N + 7, N + 6), f"all once, {limit} at a time, in {pages} pages")
    at_least(pages, N // 7, "pages")

    def listed(query):
        keys, cursor = [], ""
        while cursor is not None:
            r = ng.request(f"/api/keys?limit=1000&{query}&cursor={cursor}", headers=[("Authorization", f"Bearer {TOKEN}")])
            j = json.loads(r.body)
            keys, cursor = keys + j["keys"], j["cursor"]
        return keys

    is_(len(listed("match=" + quote("*/k/1?|"))), 10, "by pattern")
    is_(len(listed("tag=even")), N // 2, "by tag")
    is_(len(listed("tag=even&match=" + quote("*/k/1?|"))), 5, "by both")
    is_([k["key"] for k in listed("namespace=n%201")], [key("/ns/a|")], "by namespace")
    is_([k["key"] for k in listed("namespace=n+1")], [key("/ns/a|")], "a plus is a blank")
    e = listed("match=" + quote(key("/k/5|")))[0]
    is_({k: e[k] for k in ("key", "variant", "status", "size", "stale", "negative", "tag_count")},
        {"key": key("/k/5|"), "variant": False, "status": 200, "size": 100, "stale": False, "negative": False,
         "tag_count": 1}, "an entry")
    ok(0 <= e["age"] <= 5 and 50 <= e["ttl"] <= 60, f"age {e['age']}, ttl {e['ttl']}")
    is_([e["variant"] for e in listed("match=" + quote("*/vary|"))], [True, True], "variants")
    is_([e["negative"] for e in listed("match=" + quote("*/gone|"))], [True], "a negative one")

    for query, field in (("limit=0", "limit"), ("limit=1001", "limit"), ("limit=x", "limit"), ("cursor=-1", "cursor"),
                         ("cursor=99999999999999999999", "cursor"), ("match=" + quote("[a"), "[a"),
                         ("tag=" + "t" * 129, "t" * 129), ("zone=none", "zone")):
        is_(call("keys?" + query, status=400).get("field"), field, "says where")
    is_(call("keys?cursor=9223372036854775807")["cursor"], None, "a cursor beyond the end")

    note("one key")
    j = call("keys/" + quote(key("/k/5|")))
    is_((j["key"], len(j["entries"])), (key("/k/5|"), 1), "is there")
    e = j["entries"][0]
    is_(e["tags"], ["odd"], "its tags")
    is_(e["windows_ms"]["stale"], 30000, "its windows")
    h = dict(e["headers"])
    is_((h["Content-Type"].split(";")[0], h["ETag"], h["X-Own"]), ("text/plain", '"e1"', "v\ufffd"),
        "its header; what is not UTF-8 is marked")
    for path in "/k/5", "/none|", "/k/5|x":
        is_(call("keys/" + quote(key(path)), status=404)["entries"], [], "no other")
    is_(call("keys/" + key("/k/6|"))["entries"][0]["tags"], ["even"], "as it is, not escaped")
    is_(len(call("keys/" + quote(key("/vary|")))["entries"]), 2, "all variants")
    e = listed("match=" + quote("*/a%20b*"))[0]
    is_(len(call("keys/" + e["path"])["entries"]), 1, "by the path that the list gives")
    e = [k for k in listed("") if k["key"].startswith(key("/%ff"))][0]
    is_(len(call("keys/" + e["path"])["entries"]), 1, "with escapes in it")
    e = call("keys/" + quote(key("/cookie|")))["entries"][0]
    is_(dict(e["headers"]).get("Set-Cookie", 0), None, "no value of a cookie")
    call("keys/" + quote("a\r\nb"), status=400)
    call("keys/" + quote("a\x7fb"), status=400)

    note("purged")
    j = call("keys/" + quote(key("/k/5|")), "DELETE")
    is_((j["count"], j["mode"]), (1, "delete"), "one was there")
    is_(call("keys/" + quote(key("/k/5|")), "DELETE", 404)["count"], 0, "then none")
    is_(call("keys/" + quote(key("/k/5|")), status=404)["entries"], [], "not listed")
    is_(ng.get("/k/5").cache, "MISS", "gone")
    is_(call("keys/" + quote(key("/vary|")), "DELETE")["count"], 2, "all variants")
    is_(ng.get("/vary", headers=[("X-A", "1")]).cache, "MISS", "gone")
    is_(call("keys/" + quote(key("/ns/a|")) + "?namespace=other", "DELETE", 404)["count"], 0, "of another namespace")
    is_(ng.get("/ns/a").cache, "HIT", "is another")
    j = call("tags/even")
    is_((j["deleted"], j["invalidated"], j["entries"]), (0, 0, N // 2), "a tag")
    ng.request("/api/purge", "POST", body=b'{"tags":["even"]}', headers=[("Authorization", f"Bearer {TOKEN}")])
    j = call("tags/even")
    is_((j["deleted"], j["entries"]), (j["position"], 0), "that was purged")
    is_(listed("tag=even"), [], "is on nothing that is listed")
    is_(call("tags/none")["entries"], 0, "a tag of nothing")

    note("others")
    r = ng.request("/api/keys", "HEAD", headers=[("Authorization", f"Bearer {TOKEN}")])
    is_((r.status, r.body), (200, b""), "HEAD")
    is_(r.get("Cache-Control"), "no-store", "for nobody to keep")
    rs = ng.swarm([Client("/api/keys?limit=1000", headers=[("Authorization", f"Bearer {TOKEN}")]) for _ in range(50)])
    is_({x.status for x in rs}, {200}, "50 at once")
    conns = [ng.conn() for _ in range(10)]
    for c in conns:
        c.send(f"GET /api/tags/odd HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
        c.close()
    wait_until(lambda: ng.status()["pins"] == 0, 5)
    is_(ng.status()["pins"], 0, "clients that leave take their pins along")
