#!/usr/bin/env python3
"""An expired entry with a validator is asked about, and a 304 makes it fresh with its new headers."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    lm = "Tue, 15 Nov 2022 12:45:26 GMT"
    n = {}

    def answer(req, validators, mine):
        n[req.path] = k = n.get(req.path, 0) + 1
        h = validators + [("X-Version", str(k))]
        if mine(req):
            return Reply(status=304, headers=h)
        return Reply(b"body of " + req.path.encode(), headers=h)

    @origin.route("/etag")
    def _(req):
        return answer(req, [("ETag", '"e1"')], lambda q: q.get("If-None-Match") == '"e1"')

    @origin.route("/lm")
    def _(req):
        return answer(req, [("Last-Modified", lm)], lambda q: q.get("If-Modified-Since") == lm)

    @origin.route("/both")
    def _(req):
        return answer(req, [("ETag", 'W/"e1"'), ("Last-Modified", lm)],
                      lambda q: q.get("If-None-Match") == 'W/"e1"')

    ng = t.nginx(origin, "strata_valid 100ms;", locations="""
        location /off/ { strata_cache z; strata_valid 100ms; strata_revalidate off;
                         proxy_pass http://%ORIGIN%/; }
        location /keep0/ { strata_cache z; strata_valid 100ms; strata_keep 0;
                         proxy_pass http://%ORIGIN%/; }""")
    for path in "/etag", "/lm", "/both":
        body = b"body of " + path.encode()
        r = ng.fill(path, headers={"If-None-Match": '"mine"', "Range": "bytes=0-1"})
        q = origin.last(path)
        is_((q.get("If-None-Match"), q.get("If-Modified-Since"), q.get("Range")),
            (None, None, None), f"{path}: nothing conditional of the client goes out")
        time.sleep(0.2)
        r = ng.get(path)
        is_((r.status, r.cache, r.body), (200, "REVALIDATED", body), f"{path}: REVALIDATED")
        is_(r.get("X-Version"), "2", f"{path}: headers of the 304")
        r = ng.get(path)
        is_((r.cache, r.body, r.get("X-Version")), ("HIT", body, "2"), f"{path}: fresh again")
        is_(r.get("Content-Length"), str(len(body)), f"{path}: length kept")
        is_(n[path], 2, f"{path}: two requests")
        at_most(int(r.get("Age")), 1, f"{path}: Age starts again")
    at_least(ng.count("revalidated"), 3, "counted: revalidated")
    at_least(ng.count("not_modified"), 3, "counted: not_modified")

    for path in "/off/etag", "/keep0/etag":
        n.clear()
        ng.fill(path)
        time.sleep(0.2)
        r = ng.get(path)
        is_(origin.last("/etag").get("If-None-Match"), None, f"{path}: unconditional")
        is_(r.body, b"body of /etag", f"{path}: whole")
