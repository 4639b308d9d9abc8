#!/usr/bin/env python3
"""Who may use strata_api: nobody at first; tokens, addresses, scopes, pages in browsers (T-35, T-36)."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

import hashlib, json

ALL, READ, SHOP, HASHED = "all-0123456789abcdef", "read-0123456789abcdef", "shop-0123456789abcdef", "hash-0123456789abcdef"
PURGE = b'{"tags": ["shop:1"]}'

with scenario() as t:
    origin = t.origin()
    origin.route("/*")(lambda req: Reply(b"x", cc="max-age=60", headers=[
        ("Surrogate-Key", "shop:1" if "shop" in req.path else "news")]))
    ng = t.nginx(origin, tls=True, h2=True, http="strata_purge_group shop tags=shop:1,shop:2;"
                 " strata_purge_group mixed tags=shop:1,news;", locations="""
        location /bare { strata_api write=on; }
        location /read { strata_api; allow 127.0.0.1; deny all; }
        location /open { strata_api read write=on; allow all; }
        location /far { strata_api write=on; strata_api_token %DIR%/tokens; allow 10.0.0.0/8; deny all; }
        location /both { strata_api write=on; strata_api_token %DIR%/tokens; allow 127.0.0.1; deny all; }
        location /token { strata_api write=on; strata_api_token %DIR%/tokens; }
        location /readonly { strata_api write=off; strata_api_token %DIR%/tokens; }
        location /scoped { strata_api write=on; strata_api_token %DIR%/tokens; strata_api_scope tag=shop:*; }
        location /slow { strata_api write=on; strata_api_token %DIR%/tokens; strata_api_rate 1r/m burst=2; }
        location /any { strata_api; satisfy any; deny all; auth_basic x; auth_basic_user_file %DIR%/passwords; }
        location /all { strata_api; satisfy all; allow 127.0.0.1; deny all; auth_basic x;
                        auth_basic_user_file %DIR%/passwords; }
        location /basic { strata_api; auth_basic x; auth_basic_user_file %DIR%/passwords; }
        location /around/ { allow 127.0.0.1; deny all;
            location /around/in { strata_api; }
            location /around/far { strata_api; deny all; } }
        location /page { ssi on; ssi_types *; strata_cache off; proxy_pass http://%ORIGIN%; }
        location /sub { strata_cache off; auth_request /read/keys; proxy_pass http://%ORIGIN%; }
        location /purges { strata_cache z; strata_purge 1; proxy_pass http://%ORIGIN%; }
        location /proxied { strata_api write=on; strata_api_token %DIR%/tokens;
                            allow 127.0.0.1; deny all; }""", start=False)
    ng.file("passwords", "u:{PLAIN}p\n")
    ng.file("tokens", f"""# name by name
{ALL}
{READ} read
{SHOP} tag=shop:* prefix=http|localhost|/shop/ namespace=shop
sha256:{hashlib.sha256(HASHED.encode()).hexdigest()} write   # nobody can read it here
""")
    ng.start()
    ng.fill("/shop/1"), ng.fill("/news/1")
    n = 0

    def ask(path, method="GET", token=None, body=None, headers=(), port=None, **kw):
        global n
        n += 1
        h = list(headers) + ([("Authorization", f"Bearer {token}")] if token else [])
        return ng.request(path, method, body=body, headers=h, **kw)

    def case(status, path, method="GET", token=None, body=None, headers=(), what="", **kw):
        if method == "POST" and body is None:
            body = PURGE
        r = ask(path, method, token, body, headers, **kw)
        is_(r.status, status, f"{method} {path} {what or token or 'nobody'}")
        return r

    note("deny by default")
    for path in "/bare/health", "/bare/stats", "/bare/keys", "/bare/none", "/bare":
        case(403, path)
    case(403, "/bare/purge", "POST")
    case(403, "/bare/purge", "POST", ALL)
    case(403, "/bare/purge", "POST", headers=[("X-Forwarded-For", "127.0.0.1"), ("X-Real-IP", "127.0.0.1")],
         what="with addresses of its own")

    note("addresses")
    case(200, "/read/health")
    case(200, "/open/keys")
    case(403, "/read/purge", "POST", ALL)
    case(403, "/open/purge", "POST", what="without a token")
    case(403, "/open/purge", "POST", ALL)
    case(403, "/far/health", token=ALL)
    case(403, "/far/purge", "POST", ALL, headers=[("X-Forwarded-For", "10.0.0.1")], what="from 10.0.0.1, it says")
    basic = [("Authorization", "Basic dTpw")]
    case(401, "/any/health")
    case(200, "/any/health", headers=basic, what="satisfy any, with a password")
    case(403, "/any/purge", "POST", headers=basic, what="a password is no token")
    case(401, "/all/health")
    case(200, "/all/health", headers=basic, what="satisfy all, with a password")
    case(403, "/basic/health", headers=basic, what="a password, but neither token nor addresses")
    case(200, "/around/in/health", what="addresses that are inherited")
    case(403, "/around/far/health")
    origin.reply("/page", Reply(b'<!--# include virtual="/read/keys" -->|<!--# include virtual="/token/keys" -->'))
    r = case(200, "/page", what="a page that includes the API")
    unlike(r.body, b"localhost", "shows no key")
    like(r.body, b"neither strata_api_token nor allow.*no token", "but why")
    case(403, "/sub", what="auth_request")
    case(200, "/both/purge", "POST", ALL)
    case(401, "/both/purge", "POST")

    note("tokens")
    r = case(401, "/token/health")
    is_(r.get("WWW-Authenticate"), 'Bearer realm="strata"', "asks for one")
    like(r.body, b'"error":"unauthorized"', "in JSON")
    case(200, "/token/health", token=ALL)
    for bad in (ALL[:-1], ALL + "x", ALL.upper(), ALL[0], "", " ", "x" * 4000, "read", "#", "sha256:",
                hashlib.sha256(HASHED.encode()).hexdigest(), ALL + " " + ALL, f'"{ALL}"', ALL + ","):
        case(401, "/token/purge", "POST", headers=[("Authorization", "Bearer " + bad)],
             what=f"Bearer {bad[:24]!r}")
    for scheme in f"Basic {ALL}", ALL, f"Bearer{ALL}", f"Token {ALL}", f"Digest {ALL}":
        case(401, "/token/purge", "POST", headers=[("Authorization", scheme)], what=scheme[:16])
    case(200, "/token/purge", "POST", headers=[("authorization", "bEARER " + ALL)], what="the scheme in any case")
    case(401, "/token/purge?token=" + ALL, "POST", what="in the URL")
    case(401, "/token/purge", "POST", headers=[("X-Purge-Token", ALL)], what="in another field")
    case(401, "/token/purge", "POST", headers=[("Cookie", "Authorization=Bearer " + ALL)], what="in a cookie")
    case(401, "/token/none")
    case(404, "/token/none", token=ALL)
    case(200, "/token/purge", "POST", HASHED)
    case(403, "/token/health", token=HASHED, what="may only write")
    case(200, "/token/health", token=READ)
    r = case(403, "/token/purge", "POST", READ)
    like(r.body, b'"reason":"this token may not write"', "says why")
    case(403, "/token/keys/x", "DELETE", READ)
    case(403, "/readonly/purge", "POST", ALL)
    case(200, "/readonly/stats", token=ALL)

    note("methods")
    for method, path, allow in (("GET", "/token/purge", "POST"), ("PUT", "/token/purge", "POST"),
                                ("POST", "/token/stats", "GET, HEAD"), ("DELETE", "/token/keys", "GET, HEAD"),
                                ("POST", "/token/keys/x", "GET, HEAD, DELETE"), ("PURGE", "/token/purge", "POST"),
                                ("OPTIONS", "/token/purge", "POST"), ("PATCH", "/token/health", "GET, HEAD")):
        r = case(405, path, method, ALL, body=b"")
        is_(r.get("Allow"), allow, "says which")
        ok(r.get("Access-Control-Allow-Origin") is None, "and nothing to browsers")
    case(405, "/token/purge", "GET", ALL, headers=[("X-HTTP-Method-Override", "POST")], what="override")
    case(405, "/token/purge", "GET", ALL, headers=[("X-HTTP-Method", "POST")], what="override")
    case(405, "/token/purge?_method=POST", "GET", ALL, what="override")

    note("HTTP/2 and TLS")
    for token, status in (None, 401), ("x" * 20, 401), (ALL, 200):
        auth = [("Authorization", f"Bearer {token}")] if token else []
        r = client.request(ng.tls_port, "/token/purge", "POST", body=PURGE, tls=True, headers=auth)
        is_(r.status, status, f"over TLS: {token}")
        n += 2
        h2 = H2(ng.h2_port)
        stream = h2.open("/token/purge", "POST", headers=auth, body=PURGE)
        h2.run()
        is_(stream.status, status, f"over HTTP/2: {token}")
        h2.close()

    note("browsers")
    host = ("Host", "localhost")
    for origin_, site, status in ((None, "cross-site", 403), (None, "same-site", 403),
                                  ("http://evil.example", None, 403), ("http://evil.example", "cross-site", 403),
                                  ("null", None, 403), ("http://localhost.evil.example", None, 403),
                                  ("https://localhost", None, 403), ("http://localhost:1", None, 403),
                                  ("http://localhos", None, 403), ("", None, 403),
                                  ("http://localhost", None, 200), ("http://LOCALHOST", "same-origin", 200),
                                  (None, "none", 200), (None, "same-origin", 200), (None, "x", 403)):
        h = ([("Origin", origin_)] if origin_ is not None else []) + ([("Sec-Fetch-Site", site)] if site else [])
        case(status, "/token/purge", "POST", ALL, headers=h, what=f"{h}")
        case(status, "/read/stats", headers=h, what=f"{h}")
        ng.fill("/purges/a")
        r = ng.request("/purges/a", "PURGE", headers=h)
        is_((r.status, ng.get("/purges/a").cache), (200, "MISS") if status == 200 else (403, "HIT"), f"PURGE with {h}")
    for type in "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x":
        case(401, "/token/purge", "POST", headers=[("Content-Type", type)], what="a form of another page")
        case(415, "/token/purge", "POST", ALL, headers=[("Content-Type", type)], what="a form")

    note("scopes")
    for what, status in ((dict(tags=["shop:1"]), 200), (dict(tags=["shop:1", "shop:2"]), 200),
                         (dict(tags=["shop:1", "news"]), 403), (dict(tags=["news"]), 403),
                         (dict(tags=["shop"]), 403), (dict(tags=["*"]), 403), (dict(all=True), 403),
                         (dict(tags_all=["shop:1", "news"]), 200), (dict(tags_all=["a", "news"]), 403),
                         (dict(keys=["http|localhost|/shop/1|"]), 200), (dict(keys=["http|localhost|/news/1|"]), 403),
                         (dict(urls=["http://localhost/shop/1"]), 200), (dict(urls=["http://localhost/news/1"]), 403),
                         (dict(prefix="http|localhost|/shop/"), 200), (dict(prefix="http|localhost|/sho"), 403),
                         (dict(prefix="h"), 403), (dict(match="http|localhost|/shop/*"), 200),
                         (dict(match="http|localhost|/sh*"), 403), (dict(match="http|localhost|/shop[/]*"), 403),
                         (dict(match="*"), 403), (dict(namespace="shop"), 200), (dict(namespace="news"), 403),
                         (dict(all=True, namespace="shop"), 200), (dict(tags=["news"], namespace="shop"), 200),
                         (dict(group="shop"), 200), (dict(group="mixed"), 403),
                         (dict(all=True, dry_run=True), 403),
                         (dict(keys=["http|localhost|/shop/../news/1|"]), 200), (dict(keys=["HTTP|localhost|/shop/1|"]), 403),
                         (dict(keys=["http|localhost|/shop/%2e%2e/news/1|"]), 200), (dict(keys=["http|localhost|%2Fshop/1|"]), 403),
                         (dict(keys=["http|localhost|/shop/1|", "http|localhost|/news/1|"]), 403),
                         (dict(urls=["http://localhost/shop/../news/1"]), 200), (dict(urls=["http://localhost//shop/1"]), 403),
                         (dict(urls=["http://LOCALHOST:80/shop/1"]), 200), (dict(urls=["https://localhost/shop/1"]), 403),
                         (dict(urls=["http://localhost:81/shop/1"]), 403), (dict(urls=["http://x@localhost/shop/1"]), 400),
                         (dict(urls=["http://localhost/%73hop/1"]), 403), (dict(urls=["http://localhost/SHOP/1"]), 403),
                         (dict(tags=["shop:1,news"]), 200), (dict(tags=["SHOP:1"]), 403), (dict(tags=["news\u0000shop:1"]), 400),
                         (dict(tags=[" shop:1"]), 400), (dict(tags=["shop:*"]), 200), (dict(tags_all=["shop:1"]), 200),
                         (dict(prefix=["http|localhost|/shop/", ""]), 400), (dict(prefix=["http|localhost|/shop/", "h"]), 403),
                         (dict(prefix="http|localhost|/shop/", namespace="news"), 200), (dict(namespace="Shop"), 403),
                         (dict(tags=["news"], namespace="shop "), 403), (dict(match="http|localhost|/shop/*/../../news/*"), 200),
                         (dict(match="\\http|localhost|/shop/*"), 403), (dict(match="http|localhost|/shop/*[|]*"), 200),
                         (dict(group=["shop", "mixed"]), 403), (dict(all=True, namespace="news"), 403)):
        case(status, "/token/purge", "POST", SHOP, json.dumps(what).encode(), what=f"{what}")
    case(403, "/token/purge", "POST", SHOP, b'{"\\u0061ll": true}', what="a name with an escape")
    case(200, "/token/purge", "POST", SHOP, b'{"tags": ["\\u0073hop:1"]}', what="a tag with an escape")
    case(403, "/token/purge", "POST", SHOP, b'{"tags": ["\\u006eews"]}', what="another")
    case(400, "/token/purge", "POST", SHOP, b'{"tags": ["shop:1"], "tags": ["news"]}', what="one name twice")
    case(400, "/token/purge", "POST", SHOP, b'{"tags": ["shop:1"], "all": true}', what="two subjects")
    is_(ng.get("/news/1").cache, "HIT", "none of it reached others")
    is_([k["key"] for k in json.loads(ask("/token/keys", token=SHOP).body)["keys"]], [], "sees what it may")
    ng.fill("/shop/1")
    is_([k["key"] for k in json.loads(ask("/token/keys", token=SHOP).body)["keys"]],
        ["http|localhost|/shop/1|"], "sees what it may")
    case(404, "/token/keys/http%7Clocalhost%7C%2Fnews%2F1%7C", token=SHOP, what="not what it may not")
    case(200, "/token/keys/http%7Clocalhost%7C%2Fnews%2F1%7C", token=ALL)
    case(403, "/token/keys/http%7Clocalhost%7C%2Fnews%2F1%7C", "DELETE", SHOP)
    case(403, "/token/tags/news", token=SHOP)
    case(200, "/token/tags/shop:1", token=SHOP)
    case(200, "/scoped/purge", "POST", ALL)
    case(403, "/scoped/purge", "POST", ALL, b'{"tags": ["news"]}', what="within the scope of the location")
    is_([k["key"] for k in json.loads(ask("/scoped/keys", token=ALL).body)["keys"]], [], "which shows the same")
    is_(ng.get("/news/1").cache, "HIT", "nobody touched the others")

    note("rate")
    codes = [ask("/slow/purge", "POST", ALL, PURGE).status for _ in range(5)]
    is_(codes, [200, 200, 200, 429, 429], "a burst, then no more")
    r = ask("/slow/purge", "POST", ALL, PURGE)
    ok(1 <= int(r.get("Retry-After")) <= 60, f"Retry-After {r.get('Retry-After')}")
    case(200, "/slow/stats", token=ALL, what="who reads is not counted")
    is_({ask("/slow/purge", "POST", None, PURGE).status for _ in range(5)}, {401}, "nor who is refused")

    note("tokens that change")
    NEW = "new-0123456789abcdef"
    (pathlib.Path(ng.dir) / "tokens").write_text(f"{NEW}\n")
    case(401, "/token/stats", token=NEW, what="not read yet")
    ng.reload()
    ok(wait_until(lambda: ask("/token/stats", token=NEW).status == 200, 10), "after a reload")
    case(401, "/token/stats", token=ALL, what="which is no more")
    (pathlib.Path(ng.dir) / "tokens").write_text("short\n")
    ng.allowed += ["less than 16 characters"]
    ng.reload(wait=False)
    ok(wait_until(lambda: ng.log("less than 16"), 10), "a file that is wrong")
    case(200, "/token/stats", token=NEW, what="changes nothing")
    log = "\n".join(x for x in ng.log().splitlines() if "?token=" not in x)
    unlike(log, f"{ALL}|{SHOP}|{HASHED}|{READ}", "no token in the log")
    at_least(n, 140, "cases")
    note(f"{n} hostile cases")
