#!/usr/bin/env python3
"""A HEAD that the origin answers: the stored response to a GET is updated, or made stale (RFC 9111, 4.3.5)."""
import pathlib, re, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

E, LM = '"e"', "Tue, 15 Nov 2022 12:45:26 GMT"

with scenario() as t:
    origin = t.origin()
    shown = {}                                     # path: what a HEAD of it is answered

    def get(n=1, **kw):
        more = kw.pop("more", [])
        return Reply(b"0123456789", **{"cc": "max-age=60", **kw},
                     headers=[("ETag", E), ("Last-Modified", LM), ("X-N", str(n)), *more])

    @origin.route("/*")
    def _(req):
        reply = shown.get(req.path) if req.method == "HEAD" else None
        if req.path.startswith("/short/") and reply is None:
            return get(cc="max-age=1")
        if req.path == "/vary/a" and reply is None:
            return get(more=[("Vary", "X-L")])
        if req.path == "/hidden/a" and reply is None:
            return get(more=[("X-Accel-Expires", "60")], cc="max-age=1")
        return reply or get()

    proxy = "proxy_pass http://%ORIGIN%; proxy_http_version 1.1; proxy_set_header Host $http_host;"
    common = f"strata_cache z; strata_cache_status on; strata_methods GET; strata_jitter off; strata_keep 60s; {proxy}"
    ng = t.nginx(origin, "strata_jitter off;", locations=f"""
        location /u/ {{ {common} }}
        location /short/ {{ {common} }}
        location /vary/ {{ {common} }}
        location /hidden/ {{ {common} }}
        location /args/ {{ strata_key_args a; {common} }}
        location /tags/ {{ add_header X-Tags $strata_tags; {common} }}
        location /id/ {{ strata_key_identity off; {common} }}
        location /keyed/ {{ strata_key_cookies c; {common} }}
        location /purge/ {{ strata_purge 1; {common} }}""")

    def head(path, reply, **kw):
        """The entry is there, the HEAD passes; what a GET gets then."""
        shown[path.split("?")[0]] = reply
        r = ng.fill(path, method="HEAD", **kw)
        is_((r.cache, r.why, r.body), ("PASS", "method", b""), f"{path}: HEAD passes")
        return r

    def says(path, want, name, **kw):
        r = ng.get(path, **kw)
        is_((r.cache, r.get("X-N"), r.body), (*want, b"0123456789"), name)
        return r

    # agreement: fields and freshness are those of the HEAD, the body stays
    for i, (name, more) in enumerate((("all it has", {}), ("a length", {"headers": [("X-N", "2")]}),
                                      ("a tag", {"headers": [("ETag", E), ("X-N", "2")], "eof": True}),
                                      ("a time", {"headers": [("Last-Modified", LM), ("X-N", "2")], "eof": True}))):
        path = f"/u/agrees{i}"
        ng.fill(path)
        head(path, Reply(b"0123456789", cc="max-age=600", **more) if more else get(2, cc="max-age=600"))
        r = says(path, ("HIT", "2"), f"{name}: the fields are the new ones")
        is_((r.get("Cache-Control"), r.get("ETag"), r.get("Last-Modified"), r.get("Content-Length")),
            ("max-age=600", E, LM, "10"), f"{name}: what it did not say stays")
        at_least(int(re.search(r"ttl=(\d+)", r.get("Cache-Status"))[1]), 590, f"{name}: and the lifetime")
        is_(origin.count(path, "GET"), 1, f"{name}: one GET")
    ng.fill("/short/a")
    time.sleep(1.2)
    head("/short/a", get(2, cc="max-age=60"))
    says("/short/a", ("HIT", "2"), "what was stale is fresh again")
    with ng.conn() as c:
        for i in range(3, 8):
            shown["/u/agrees0"] = get(i)
            c.request("/u/agrees0", "HEAD")
            is_(c.get("/u/agrees0").get("X-N"), str(i), f"each HEAD counts: {i}")
    for i in range(2):
        ng.fill("/vary/a", headers={"X-L": str(i)})
    head("/vary/a", get(2, more=[("Vary", "X-L")]), headers={"X-L": "1"})
    says("/vary/a", ("HIT", "2"), "the variant", headers={"X-L": "1"})
    says("/vary/a", ("HIT", "1"), "and no other", headers={"X-L": "0"})
    ng.fill("/hidden/a")
    head("/hidden/a", get(2, cc=None))
    time.sleep(1.2)
    says("/hidden/a", ("HIT", "2"), "a hidden field counts on")
    ng.fill("/tags/a")
    shown["/tags/a"] = get(2, more=[("Surrogate-Key", "new")])
    ng.fill("/tags/a", method="HEAD")
    is_((ng.get("/tags/a").get("X-Tags"), origin.count("/tags/a", "GET")), ("new", 1), "the tags are the new ones")
    ng.fill("/u/own")
    head("/u/own", get(2, cc='max-age=60, private="X-Own"', more=[("X-Own", "me")]))
    is_(says("/u/own", ("HIT", "2"), "private of a field").get("X-Own"), None, "which is not stored")

    # what does not agree, or would not be stored, makes it stale
    for i, (name, reply) in enumerate((("another tag", get(2, more=[("ETag", '"f"')])),
                                       ("another time", Reply(b"0123456789", headers=[("Last-Modified", LM[:-5] + "7 GMT")])),
                                       ("another length", get(2, length=11)),
                                       ("no-store", get(2, cc="no-store")), ("private", get(2, cc="private")),
                                       ("a cookie", get(2, more=[("Set-Cookie", "a=b")])),
                                       ("Vary: *", get(2, more=[("Vary", "*")])),
                                       ("another Vary", get(2, more=[("Vary", "X-M")])))):
        path = f"/u/not{i}"
        if name == "another tag":
            reply = Reply(b"0123456789", cc="max-age=60", headers=[("ETag", '"f"')])
        ng.fill(path)
        head(path, reply)
        is_(ng.get(path).cache, "EXPIRED", f"{name}: stale")

    # what says nothing
    ng.fill("/u/nothing")
    head("/u/nothing", Reply(b"0123456789", cc="max-age=600", eof=True, headers=[("X-N", "2")]))
    says("/u/nothing", ("HIT", "1"), "nothing to compare")
    for status in 404, 500, 304, 206:
        ng.fill(f"/u/{status}")
        head(f"/u/{status}", get(2, status=status))
        says(f"/u/{status}", ("HIT", "1"), f"{status}")

    # what a fetch would not have said must not come back to all this way
    for name, kw in (("X-Forwarded-Host", {"headers": {"X-Forwarded-Host": "evil"}}),
                     ("Cache-Control", {"headers": {"Cache-Control": "no-cache"}}),
                     ("another Host", {"headers": {"Host": "LOCALHOST"}}),
                     ("a body", {"body": b"x"}), ("Range", {"headers": {"Range": "bytes=0-"}}),
                     ("a condition", {"headers": {"If-None-Match": '"x"'}}),
                     ("a cookie", {"headers": {"Cookie": "a=b"}}),
                     ("a password", {"headers": {"Authorization": "Basic YTpi"}})):
        path = f"/u/odd-{name.replace(' ', '-')}"
        ng.fill(path)
        head(path, get(2), **kw)
        says(path, ("HIT", "1"), f"{name}: not the answer to a fetch")
    ng.fill("/u/odd-identity")
    head("/u/odd-identity", Reply(b"", headers=[("ETag", '"of a"')]), headers={"Cookie": "a=b"})
    says("/u/odd-identity", ("HIT", "1"), "of a personal answer nothing follows at all")
    ng.fill("/args/a?a=1&b=2")
    head("/args/a?a=1&b=2", get(2))
    says("/args/a?a=1", ("HIT", "1"), "an argument that the key has not")
    head("/args/a?a=1", get(2))
    says("/args/a?a=1", ("HIT", "2"), "but with those that it has")
    ng.fill("/keyed/a", headers={"Cookie": "c=1"})
    head("/keyed/a", get(2), headers={"Cookie": "c=1"})
    says("/keyed/a", ("HIT", "2"), "a cookie that is in the key", headers={"Cookie": "c=1"})
    ng.fill("/id/a")
    head("/id/a", get(2), headers={"Cookie": "c=1"})
    says("/id/a", ("HIT", "2"), "strata_key_identity off: cookies are told by fetches as well")
    head("/id/a", get(3), headers={"Authorization": "Basic YTpi"})
    is_(ng.get("/id/a").cache, "EXPIRED", "a password, and the answer may not be shared")

    # races: only what is older than the HEAD is judged by it
    for what in "newer", "contradicted":
        path = f"/purge/{what}"
        gate = Gate()

        @origin.route(path)
        def _(req):
            if req.method == "HEAD":
                gate.wait()
                return get(9) if what == "newer" else get(9, length=11)
            return get(5)

        ng.fill(path)
        c = t.keep(ng.conn())
        c.send(build(path, method="HEAD"))
        gate.arrived(1)
        ng.request(path, "PURGE")
        time.sleep(0.02)
        ng.fill(path)
        gate.open()
        c.read("HEAD")
        says(path, ("HIT", "5"), f"{what}: stored since the HEAD began")
    is_(ng.quiet(), {}, "nothing is left behind")
