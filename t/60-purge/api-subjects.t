#!/usr/bin/env python3
"""POST /purge: each kind of subject hits what it says and nothing else; dry runs count the same."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

import json

TOKEN = "test-token-0123456789"
TAGS = {"/p/1": "p p1", "/p/2": "p p2", "/q/1": "q p1", "/ns/p": "p"}

with scenario() as t:
    origin = t.origin()
    origin.route("/*")(lambda req: Reply(b"x", cc="max-age=60", headers=[
        ("Surrogate-Key", TAGS.get(req.path, "other"))]))

    ng = t.nginx(origin, http="strata_purge_group shop tags=p2,q prefix=http|localhost|/group;",
                 zone=["z 16m", "other 1m"], locations=f"""
        location /ns/ {{ {CACHE} {PROXY} strata_namespace n1; }}
        location /api/ {{ strata_cache z; strata_api write=on; strata_api_token %DIR%/tokens; }}
        location /soft/ {{ strata_cache z; strata_grace 10s; strata_api write=on;
                           strata_api_token %DIR%/tokens; }}
        location /zoneless/ {{ strata_api write=on; strata_api_token %DIR%/tokens; }}""", start=False)
    ng.file("tokens", f"# of the test\n\n{TOKEN}   # all of it\n")
    ng.start()

    def call(method, path, what=None, **kw):
        r = ng.request(path, method, body=None if what is None else json.dumps(what).encode(),
                       headers=[("Authorization", f"Bearer {TOKEN}"),
                                ("Content-Type", "application/json")], **kw)
        return r, json.loads(r.body)

    def purge(what, path="/api/purge"):
        return call("POST", path, what)

    PATHS = ["/p/1", "/p/2", "/q/1", "/x", "/x?b=1&a=2", "/group/a", "/ns/p", "/ns/x"]
    base = "http|localhost|"

    def fill():
        for p in PATHS:
            ng.fill(p)

    def gone():
        return [p for p in PATHS if ng.get(p).cache != "HIT"]

    fill()
    is_(gone(), [], "all are stored")

    for what, expected in (
            ({"tags": ["p"]}, ["/p/1", "/p/2", "/ns/p"]),
            ({"tags": ["p2", "q"]}, ["/p/2", "/q/1"]),
            ({"tags": "P"}, []),
            ({"tags": ["p*"]}, []),
            ({"tags_all": ["p", "p1"]}, ["/p/1"]),
            ({"tags_all": ["p"]}, ["/p/1", "/p/2", "/ns/p"]),
            ({"tags": ["p"], "namespace": "n1"}, ["/ns/p"]),
            ({"namespace": "n1"}, ["/ns/p", "/ns/x"]),
            ({"all": True, "namespace": "n1"}, ["/ns/p", "/ns/x"]),
            ({"namespace": "n"}, []),
            ({"keys": [base + "/x|"]}, ["/x"]),
            ({"keys": [base + "/x|a=2&b=1", base + "/p/1|"]}, ["/p/1", "/x?b=1&a=2"]),
            ({"keys": [base + "/x"]}, []),
            ({"keys": [base + "/ns/x|"], "namespace": "n2"}, []),
            ({"keys": [base + "/ns/x|"], "namespace": "n1"}, ["/ns/x"]),
            ({"urls": ["http://LOCALHOST:80/x?b=1&a=2"]}, ["/x?b=1&a=2"]),
            ({"urls": ["https://localhost/x", "http://localhost/X"]}, []),
            ({"prefix": base + "/p/"}, ["/p/1", "/p/2"]),
            ({"prefix": [base + "/q", base + "/ns/x"]}, ["/q/1", "/ns/x"]),
            ({"prefix": base, "namespace": "n1"}, ["/ns/p", "/ns/x"]),
            ({"match": "*/[pq]/1|"}, ["/p/1", "/q/1"]),
            ({"match": ".*"}, []),
            ({"group": "shop"}, ["/p/2", "/q/1", "/group/a"]),
            ({"all": True}, PATHS)):
        fill()
        r, j = purge(dict(what, dry_run=True))
        is_((r.status, j.get("count")), (200, len(expected)), f"dry run of {what}: {j}")
        is_(gone(), [], "purges nothing")
        r, j = purge(what)
        is_((r.status, j.get("mode")), (200, "delete"), f"{what}: {j}")
        is_(gone(), expected, "is what is gone")

    note("urls")
    for path in ("/a/../b", "/a//b", "/a/./b", "/%61", "/%7e", "/~", "/a%2fb", "/a%2Fb", "/a+b", "/a%2bb", "/%C3%A4", "/%c3%a4",
                 "/a?", "/a?x", "/a?x=", "/a?x&x", "/a;p=1", "/A", "/a%20b", "/a%25b", "/a?%61=1", "/a?q=%2f", "/a?q=a+b",
                 "/a|b", "/a%7cb", "/a?x=|", "/a\\b", "/d/%2e%2e/c", "/a%3fb", "/a%23b", "/a?b[]=1&b[]=2", "/a?b=2&b=1",
                 "/a?&&b=1&", "/?x=1", "/a?u=http://x/y?z", "/a%0ab", "/a%e4b", "/"):
        ng.fill(path), ng.fill("/x")
        r, j = purge({"urls": ["http://localhost" + path]})
        is_((r.status, ng.get(path).cache, ng.get("/x").cache), (200, "MISS", "HIT"), f"the URL that a client asked for: {path}")

    note("modes")
    fill()
    r, j = purge({"tags": ["p"]}, "/soft/purge")
    is_(j["mode"], "invalidate", "tags where there is a grace")
    is_(call("GET", "/api/keys?tag=p1")[1]["keys"][0]["stale"], True, "are stale")
    r, j = purge({"keys": [base + "/x|"]}, "/soft/purge")
    is_(j["mode"], "delete", "a key is gone all the same")
    r, j = purge({"tags": ["p"], "mode": "delete"}, "/soft/purge")
    is_(j["mode"], "delete", "or as it was asked for")
    fill()
    r, j = purge({"tags": ["p"], "mode": "invalidate"})
    is_(j["mode"], "invalidate", "without a grace as well")
    ok(ng.get("/p/1").cache in ("EXPIRED", "REVALIDATED", "MISS"), "then the origin is asked")

    note("positions, zones")
    r1, j1 = purge({"tags": ["a"]})
    r2, j2 = purge({"tags": ["b"]})
    is_(j2["position"], j1["position"] + 1, "one purge, one position")
    r, j = purge({"keys": [f"k{i}" for i in range(1000)]})
    is_((r.status, j["subjects"], j["events"]), (200, 1000, 8), "1000 keys are 8 events")
    r, j = purge({"tags": ["p"], "zone": "other"})
    is_((r.status, j["zone"]), (200, "other"), "another zone")
    fill()
    purge({"all": True, "zone": "other"})
    is_(gone(), [], "leaves this one")
    r, j = purge({"tags": ["p"], "zone": "none"})
    is_((r.status, j["field"], j["reason"]), (400, "zone", "unknown"), "no such zone")
    r, j = purge({"tags": ["p"]}, "/zoneless/purge")
    is_((r.status, j["field"], j["reason"]), (400, "zone", "which of them?"), "there are two")
    r, j = purge({"tags": ["p"], "zone": "z"}, "/zoneless/purge")
    is_(r.status, 200, "it is said which")

    note("a purge for later")
    fill()
    r, j = purge({"tags": ["p1"], "delay": "300ms"})
    is_((r.status < 300, j["delay_ms"]), (True, 300), f"accepted: {j}")
    is_(gone(), [], "not yet")
    ok(wait_until(lambda: ng.get("/q/1").cache != "HIT", 5), "then it is")
    purges = ng.count("purges")
    at_least(purges, 30, "counted")
    is_(origin.count(method="POST"), 0, "the origin heard nothing of it")
