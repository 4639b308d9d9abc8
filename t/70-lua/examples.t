#!/usr/bin/env python3
"""conf.example/lua-*.conf and profiles.conf: each location of them does what its comment says."""
import json, pathlib, re, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

EXAMPLES = ROOT / "conf.example"


def example(t, origin, name):
    """nginx with the example as it stands, but for places and ports."""
    text = (EXAMPLES / name).read_text()
    temp = " ".join(f"{k}_temp_path %DIR%/{k};" for k in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    text = re.sub(r"^load_module.*$", load_module(), text, flags=re.M)
    text = re.sub(r"^worker_processes.*$", "worker_processes 2; user root; daemon off; pid %DIR%/nginx.pid; error_log %DIR%/error.log;",
                  text, flags=re.M)
    text = re.sub(r"^http {$", f"http {{ access_log off; {temp} add_header X-TTL $strata_ttl always;", text, flags=re.M)
    text = text.replace("127.0.0.1:8080;", "127.0.0.1:%PORT%;\nlocation = /-pid { return 200; }").replace("127.0.0.1:8081", "%ORIGIN%")
    return t.nginx(origin, conf=text, status=False)


with scenario() as t:
    origin = t.origin()
    seen = []

    @origin.route("/*")
    def _(req):
        seen.append(req)
        if req.target == "/login":
            return Reply(b"", status=204, headers=[("X-User", "ada"), ("X-Session", "s3")]) if req.body == b"right" else Reply(b"", status=403)
        h = [("Content-Type", "application/json")]
        h += [("X-Product", "7")] if "p7" in req.target else []
        h += [("X-Sale", "1")] if "sale" in req.target else []
        return Reply(f"{req.method} {req.target} {len(seen)}".encode(), headers=h)

    def hit(r):
        return "hit" in (r.get("Cache-Status") or "").split(";")[1]

    def again(ng, path, **kw):
        """Is what the second request gets what the first one stored?"""
        return hit(ng.request(path, **kw)) or (time.sleep(0.1) or hit(ng.request(path, **kw)))

    ng = example(t, origin, "lua-keys.conf")
    h = {"X-Tenant": "t1", "Accept-Language": "de"}
    ok(again(ng, "/shop/a?q=1&page=2&utm=3", headers=h), "lua-keys: stored")
    ok(hit(ng.get("/shop/a?page=2&q=1&x=4", headers=h)), "the query that counts, in any order")
    ok(not hit(ng.get("/shop/a?page=2&q=1", headers={**h, "X-Tenant": "t2"})), "for each tenant")
    ok(again(ng, "/shop/p7") and again(ng, "/shop/sale"), "tags and sales")
    ok(int(ng.get("/shop/sale").get("X-TTL")) <= 10 < int(ng.get("/shop/p7").get("X-TTL")), "a sale is short")
    ok(again(ng, "/landing/", headers={"Cookie": "bucket=b; a=1"}), "a bucket")
    ok(hit(ng.get("/landing/", headers={"Cookie": "a=2; bucket=b"})), "whatever else there is")
    ok(not hit(ng.get("/landing/", headers={"Cookie": "a=2"})), "and the other one")
    is_((seen[-1].get("X-Bucket"), seen[-1].get("Cookie")), ("a", None), "the origin hears the bucket only")
    ng.stop()

    ng = example(t, origin, "lua-service.conf")
    is_([ng.get("/api/x", headers=k).status for k in ({}, {"X-API-Key": "k"})], [401, 200], "lua-service: who has a key")
    is_(ng.get("/kv/calls:k").body, b"1", "is counted")
    is_(ng.request("/kv/limit", "PUT", body=b"1").status, 403, "reading is not writing")
    first = ng.get("/stock/5").body
    is_((ng.get("/stock/5").body, ng.get("/warehouse/5").status), (first, 404), "a value made once")
    is_(ng.request("/hooks/stock", "POST").status, 403, "not purged by anybody")
    is_(ng.get("/stock/5").body, first, "so it stays")
    is_(ng.request("/hooks/stock", "POST", headers={"X-Hook-Token": "change-me"}).status, 204, "but by the application")
    isnt(ng.get("/stock/5").body, first, "and is made anew")
    is_([ng.request("/session", "POST", body=b).status for b in (b"wrong", b"right")], [401, 204], "a session")
    is_([ng.get("/session", headers={"Cookie": f"sid={s}"}).body for s in ("s3", "guess")], [b"ada", b""], "is who it is")
    ng.stop()

    ng = example(t, origin, "profiles.conf")
    for path, least, most in (("/assets/a", 3000, 3600), ("/products/a", 240, 330), ("/prices/a", 8, 10), ("/reports/a", 500, 600)):
        ok(again(ng, path), f"profiles: {path} is stored")
        ok(least <= int(ng.get(path).get("X-TTL")) <= most, f"{path}: and for how long")
    is_(ng.request("/products/7", "PUT", body=b"x").status, 200, "a write")
    ok(not hit(ng.get("/products/a")), "takes the lists along")
    ok(again(ng, "/products/a"), "stored again")
    ok(tap.wait_until(lambda: not hit(ng.get("/products/a")), 5, 0.02), "and gone again, later")
    ok(again(ng, "/prices/b", headers={"Cookie": "currency=eur; a=1"}), "a currency")
    ok(not hit(ng.get("/prices/b", headers={"Cookie": "currency=usd; a=1"})), "and another one")

    def ask(query):
        return ng.request("/graphql", "POST", body=json.dumps({"query": query}).encode(), headers={"Content-Type": "application/json"})
    ask("{ a }")
    ok(tap.wait_until(lambda: hit(ask("{  a\n}")), 5), "GraphQL: a query")
    ok(not any(hit(ask("mutation { a }")) for _ in range(2)), "a mutation is none")
