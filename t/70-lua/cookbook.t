#!/usr/bin/env python3
"""docs/cookbook.md: every piece of it, as it stands there but for /etc, does what it says."""
import json, pathlib, re, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

RECIPES = {}
for part in (ROOT / "docs/cookbook.md").read_text().replace("/etc/nginx/", "%DIR%/").split("\n## ")[1:]:
    title, _, text = part.partition("\n")
    RECIPES[title] = {"http": "", "server": ""}
    for where, code in re.findall(r"(http:\n\n)?```nginx\n(.*?)```", text, re.S):
        RECIPES[title]["http" if where else "server"] += code

TOKEN = "Xk3zU8x2mQ7dT1vB9sYw"
checks = {}


def check(title):
    def add(fn):
        checks[title] = fn
        return fn
    return add


def cache(r):
    return r.cache


@check("A key per route")
def _(ng, seen):
    h = {"X-Tenant": "t1", "Accept-Language": "de-AT"}
    ng.fill("/shop/a?q=1&page=2&utm=3", headers=h)
    is_(ng.get("/shop/a?page=2&q=1&x=9", headers=h).cache, "HIT", "what counts, in any order")
    is_(ng.get("/shop/a?page=2&q=1", headers={**h, "X-Tenant": "t2"}).cache, "MISS", "another tenant")
    is_(ng.get("/shop/a?page=2&q=1", headers={**h, "Accept-Language": "fr"}).cache, "MISS", "another language")
    ng.fill("/shop/b", headers={"Accept-Language": "es"})
    is_(ng.get("/shop/b", headers={"Accept-Language": "pt"}).cache, "HIT", "languages there are not")


@check("Header and cookie parts")
def _(ng, seen):
    h = {"X-Api-Version": "2", "Cookie": "sid=1; currency=eur"}
    ng.fill("/offers/a?q=1&utm=x&page=2", headers=h)
    is_(ng.get("/offers/a?page=2&q=1&allow=1", headers={**h, "Cookie": "currency=eur; sid=2"}).cache, "HIT", "other arguments and cookies do not count")
    is_(ng.get("/offers/a?page=2&q=1", headers={**h, "Cookie": "currency=usd"}).cache, "MISS", "another currency")
    is_(ng.get("/offers/a?page=2&q=1", headers={**h, "X-Api-Version": "3"}).cache, "MISS", "another version")


@check("Delayed double delete")
def _(ng, seen):
    ng.fill("/catalog/list"), ng.fill("/catalog/7")
    is_(ng.request("/catalog/7", "PUT", body=b"new").status, 200, "a write")
    written = time.monotonic()
    is_((ng.fill("/catalog/list").cache, ng.fill("/catalog/7").cache), ("MISS", "MISS"), "takes the list along")
    early = ng.get("/catalog/list").cache if time.monotonic() - written < 0.3 else "HIT"
    is_(early, "HIT", "stored again meanwhile")
    ok(tap.wait_until(lambda: ng.get("/catalog/list").cache == "MISS", 5), "goes too, later")
    ok(time.monotonic() - written > 0.45, "not at once")


@check("A/B buckets")
def _(ng, seen):
    ng.fill("/landing/", headers={"Cookie": "sid=1; bucket=b"})
    is_(ng.get("/landing/", headers={"Cookie": "bucket=b; sid=2"}).cache, "HIT", "one bucket, other cookies")
    is_(ng.get("/landing/", headers={"Cookie": "sid=1"}).cache, "MISS", "the other bucket")
    is_((seen[-1].get("X-Bucket"), seen[-1].get("Cookie")), ("a", None), "what the origin hears")


@check("GraphQL")
def _(ng, seen):
    def ask(query):
        return ng.request("/graphql", "POST", body=json.dumps({"query": query}).encode(), headers={"Content-Type": "application/json"})
    ask("{ a }")
    time.sleep(0.1)
    is_(ask("{  a\n}").cache, "HIT", "blanks do not count")
    is_(ask("{ b }").cache, "MISS", "another query")
    is_([ask("mutation { a }").cache for _ in range(2)], ["PASS"] * 2, "mutations pass")


@check("Four lifetimes")
def _(ng, seen):
    for path, least, most in (("/assets/", 3000, 3600), ("/products/", 240, 330), ("/prices/", 8, 10), ("/reports/", 500, 600)):
        ng.fill(path)
        ok(least <= int(ng.get(path).get("X-TTL")) <= most, path)


@check("Sessions")
def _(ng, seen):
    is_(ng.get("/session").status, 401, "none")
    is_(ng.request("/session", "POST", body=b"wrong").status, 401, "who may not")
    r = ng.request("/session", "POST", body=b"right")
    is_(r.status, 204, "who may")
    h = {"Cookie": r.get("Set-Cookie").partition(";")[0]}
    is_(ng.get("/session", headers=h).body, b"ada", "has a session")
    is_(ng.get("/session", headers={"Cookie": "sid=guess"}).status, 401, "a guess has not")
    is_(ng.request("/session", "DELETE", headers=h).status, 204, "and ends it")
    is_(ng.get("/session", headers=h).status, 401, "which is seen")
    is_(ng.get("/login").status, 404, "the application's own log-in is not reached")


@check("Calls per day")
def _(ng, seen):
    is_([ng.get("/api/x", headers={"X-API-Key": "k1"}).status for _ in range(5)], [200] * 3 + [403] * 2, "three a day")
    is_(ng.get("/api/x", headers={"X-API-Key": "k2"}).status, 200, "for each key")
    is_(ng.get("/api/x").status, 401, "and none without")


@check("Configuration values")
def _(ng, seen):
    h = {"Authorization": f"Bearer {TOKEN}"}
    is_(ng.get("/banner").body, b"welcome", "nothing set")
    is_(ng.request("/config/banner", "PUT", body=b"sale").status, 401, "not by anybody")
    is_(ng.request("/config/banner", "PUT", body=b"sale", headers=h).status, 204, "set")
    is_({ng.get("/banner").body for _ in range(8)}, {b"sale"}, "in all workers")


@check("A purge endpoint of your own")
def _(ng, seen):
    h = {"X-Hook-Token": "change-me"}
    ng.fill("/item/7"), ng.fill("/item/8")
    is_(ng.request("/hooks/product", "POST", body=b'{"id":7}').status, 403, "not by anybody")
    is_(ng.request("/hooks/product", "POST", body=b'{"id":', headers=h).status, 400, "not JSON")
    is_(ng.get("/item/7").cache, "HIT", "nothing was purged")
    is_(ng.request("/hooks/product", "POST", body=b'{"id":7}', headers=h).status, 204, "purged")
    is_((ng.get("/item/7").cache, ng.get("/item/8").cache), ("MISS", "HIT"), "that product only")


@check("Events of an application")
def _(ng, seen):
    h = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    ng.fill("/product/?id=7"), ng.fill("/product/?id=8")
    is_(ng.get("/left/7").body, b"ask", "nothing said")
    sold = json.dumps({"topic": "sold", "data": {"id": 7, "left": 3}}).encode()
    is_(ng.request("/strata/events", "POST", body=sold).status, 401, "not by anybody")
    is_(ng.request("/strata/events", "POST", body=sold, headers=h).status, 200, "sold")
    is_((ng.get("/product/?id=7").cache, ng.get("/product/?id=8").cache), ("MISS", "HIT"), "that product's page")
    ok(tap.wait_until(lambda: ng.get("/left/7").body == b"3", 5), "and the script was told")


@check("A slow upstream")
def _(ng, seen):
    n = len(seen)
    rs = [th.join() for th in [in_thread(ng.get, "/stock/slow1") for _ in range(10)]]
    is_({r.body for r in rs}, {b"in stock: GET /warehouse/slow1"}, "all have it")
    is_(len(seen) - n, 1, "asked once")
    is_(ng.get("/stock/bad").status, 503, "an error")
    is_(ng.get("/warehouse/slow1").status, 404, "and nobody else gets there")


@check("One job at a time")
def _(ng, seen):
    rs = [th.join() for th in [in_thread(ng.get, "/rebuild") for _ in range(5)]]
    is_(sorted(r.status for r in rs), [200] + [409] * 4, "one of five")
    ok(int(seen[-1].get("X-Fence")) > 0, "with its fence")
    first = int(seen[-1].get("X-Fence"))
    is_(ng.get("/rebuild").status, 200, "then the next")
    ok(int(seen[-1].get("X-Fence")) > first, "with a larger one")


with scenario() as t:
    origin = t.origin()
    seen = []

    @origin.route("/*")
    def _(req):
        seen.append(req)
        if "slow" in req.target or "rebuild" in req.target:
            time.sleep(0.2)
        if "bad" in req.target:
            return Reply(b"", status=500)
        if req.target == "/login":
            return Reply(b"", status=204, headers=[("X-User", "ada"), ("X-Session", "s3cr3t")]) if req.body == b"right" \
                else Reply(b"", status=403)
        return Reply(f"{req.method} {req.target}".encode(), headers=[("Content-Type", "application/json")])

    is_(sorted(checks), sorted(RECIPES), "each recipe has a test")
    for title, recipe in RECIPES.items():
        note(title)
        server = recipe["server"].replace("/etc/nginx/strata.tokens", "%DIR%/tokens")
        ng = t.nginx(origin, zone="main 16m", start=False, only=server, status=False,
                     http="add_header X-TTL $strata_ttl always; upstream backend { server %ORIGIN%; }\n" + recipe["http"])
        ng.file("strata.tokens", TOKEN + "\n")
        ng.start()
        checks[title](ng, seen)
        ng.stop()
