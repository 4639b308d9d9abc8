#!/usr/bin/env python3
"""strata_no_vary_search: queries that the origin says are equivalent share an entry."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    rules, version, extra, slow_paths = {}, [1], {}, []

    @origin.route("/*")
    def _(req):
        if req.path in slow_paths:
            time.sleep(0.2)
        if req.method == "PUT":
            return Reply(b"", 201, headers=[("Location", req.get("X-To"))])
        headers = [("No-Vary-Search", v) for v in rules.get(req.path, [])] + extra.get(req.path, [])
        return Reply(f"{version[0]} {req.target} {req.get('X-L')}".encode(),
                     cc="max-age=1, must-revalidate" if req.path == "/short" else "max-age=60", headers=headers)

    ng = t.nginx(origin, "strata_no_vary_search on; strata_purge 1; strata_grace 60s;",
                 http="add_header X-Key $strata_key always;", locations="""
        location /off/ { strata_cache z; proxy_pass http://%ORIGIN%; }
        location /own/ { strata_cache z; strata_no_vary_search on; strata_key $uri$is_args$args;
                         proxy_pass http://%ORIGIN%; }
        location /args/ { strata_cache z; strata_no_vary_search on; strata_key_args * sort=off;
                          proxy_pass http://%ORIGIN%; }
        location /tenant/ { strata_cache z; strata_no_vary_search on; strata_key_headers X-L;
                            strata_namespace $arg_ns; proxy_pass http://%ORIGIN%; }""")

    def ask(path, **kw):
        r = ng.fill(path, **kw)
        return r.cache, r.body.decode().split()[1]

    # what does not matter
    rules["/p"] = ['params=("utm" "ref")']
    is_(ask("/p?id=1&utm=a"), ("MISS", "/p?id=1&utm=a"), "the first")
    for q in "?utm=b&id=1", "?id=1", "?ref=&id=1&utm", "?i%64=1", "?id=%31&&":
        is_(ask("/p" + q), ("HIT", "/p?id=1&utm=a"), f"{q}: the same")
    for q in "?id=2", "?id=1&x=1", "", "?ID=1", "?id=1&id=1", "?id=":
        is_(ask("/p" + q)[0], "MISS", f"{q}: another")
    is_(ask("/p?utm=x")[0], "HIT", "none of them: as no query")
    like(ng.get("/p?utm=c&id=1").get("X-Key"), r"^http\|localhost\|/p\|id=1$", "the readable key")
    is_(ask("/q?id=1&utm=b")[0], "MISS", "another path has its own rule")
    is_((ask("/q?id=1")[0], ask("/q?id=1&utm=b")[0]), ("MISS", "HIT"), "or none")

    rules["/e"] = ["params", 'except=("id" "x")']
    is_(ask("/e?id=1&a=2")[0], "MISS", "params, except: the first")
    is_((ask("/e?id=1&b"), ask("/e?b&id=2")[0]), (("HIT", "/e?a=2&id=1"), "MISS"), "params, except")
    rules["/args/o"] = ["key-order"]
    is_(ask("/args/o?b=1&a=2")[0], "MISS", "key-order: the first")
    is_((ask("/args/o?a=2&b=1"), ask("/args/o?a=1&b=2")[0]), (("HIT", "/args/o?b=1&a=2"), "MISS"), "key-order")

    # what is not understood, or off, means nothing
    for i, bad in enumerate(["params=(a)", 'params=("a"), except=("b")', "params=1", "x", "params=(\"" + "a" * 2000 + "\")",
                             "params=(" + " ".join(f'"{j}"' for j in range(100)) + ")"]):
        rules[f"/bad{i}"] = [bad]
        is_((ask(f"/bad{i}?a=1")[0], ask(f"/bad{i}?a=2")[0], ask(f"/bad{i}?a=1")[0]), ("MISS", "MISS", "HIT"),
            f"{bad[:40]}: ignored")
    for path in "/off/a", "/own/a":
        rules[path] = ["params"]
        is_((ask(f"{path}?a=1")[0], ask(f"{path}?a=2")[0]), ("MISS", "MISS"), f"{path}: not there")

    # a rule that changes: nothing of the one before is reached
    rules["/c"] = ["params"]
    is_((ask("/c?a=1")[0], ask("/c?a=2")[0]), ("MISS", "HIT"), "rule one")
    version[0], rules["/c"] = 2, ['params=("b")']
    is_(ng.fill("/c?a=3&b=1").body.split()[0], b"1", "the origin has another rule: still the first")
    is_(ng.purge("/c?a=9").status, 200, "PURGE of an equivalent URL")
    is_(ask("/c?a=3&b=1")[0], "MISS", "rule two: the first")
    is_((ask("/c?a=3"), ask("/c?a=1")[0]), (("HIT", "/c?a=3&b=1"), "MISS"), "rule two")
    rules["/c"] = []
    is_(ask("/c?a=4&b=1")[0], "MISS", "without the field: stored as it is")
    is_((ask("/c?a=4&b=1")[0], ask("/c?a=4")[0]), ("HIT", "MISS"), "and found as it is")

    # first without, then with the field: the old entry does not stand in the way
    rules["/late"] = []
    ask("/late?u=1")
    rules["/late"] = ["params"]
    is_(ng.purge("/late?u=1").status, 200, "late: purged")
    is_((ask("/late?u=1")[0], ask("/late?u=2")[0], ask("/late?u=1")[0]), ("MISS", "HIT", "HIT"), "late")

    # PURGE, in all modes, and unsafe methods reach what the URL reaches
    rules["/x"] = ["params"]
    for mode in "delete", "invalidate", "revalidate":
        ask("/x?a=1")
        is_(ask("/x?a=2")[0], "HIT", f"{mode}: before")
        version[0] += 1
        is_(ng.purge("/x?a=3", headers={"X-Purge": mode}).status, 200, f"{mode}: purged by another query")
        ok(wait_until(lambda: ng.fill("/x?a=2").body.split()[0] == str(version[0]).encode()), f"{mode}: new")
    is_(ng.request("/x?a=7", "POST", body=b"x").status, 200, "POST")
    is_(ask("/x?a=8")[0], "MISS", "POST: gone")
    is_(ng.purge("/nothing?a=1").status, 404, "nothing there")

    ask("/x?a=1")
    is_(ask("/x?a=2")[0], "HIT", "Location: before")
    ng.request("/y", "PUT", headers={"X-To": "/x?a=3"})
    is_(ask("/x?a=1")[0], "MISS", "Location of an unsafe method's answer: gone")

    # an answer under way when an equivalent URL is purged is not stored
    gate = Gate()

    @origin.route("/race")
    def _(req):
        if req.query == "a=1":
            gate.wait()
        return Reply(req.query.encode(), cc="max-age=60", headers=[("No-Vary-Search", "params")])

    slow = in_thread(lambda: ng.get("/race?a=1"))
    ok(gate.arrived(), "race: under way")
    ng.purge("/race?a=2")
    gate.open()
    slow.join()
    ng.quiet()
    is_(ask("/q?x")[0], "MISS", "race: done")
    is_(ng.fill("/race?a=2").cache, "MISS", "race: what began before the purge is not stored")
    gate = Gate()
    ng.purge("/race?a=1")
    slow = in_thread(lambda: ng.get("/race?a=1"))
    ok(gate.arrived(), "Location: under way")
    ng.request("/y", "PUT", headers={"X-To": "/race?a=2"})
    gate.open()
    slow.join()
    ng.quiet()
    is_(ng.fill("/race?a=2").cache, "MISS", "Location: what began before is not stored")

    # with Vary, namespaces and fields in the key
    extra["/tenant/v"] = [("Vary", "X-M")]
    cases = [("a", "1", "x"), ("a", "2", "x"), ("a", "1", "y"), ("b", "1", "x")]
    rules["/tenant/v"] = ['params, except=("ns")']
    for ns, lang, m in cases:
        r = ng.fill(f"/tenant/v?ns={ns}&u=1", headers={"X-L": lang, "X-M": m})
        is_(r.cache, "MISS", f"{ns} {lang} {m}: miss")
    for ns, lang, m in cases:
        r = ng.fill(f"/tenant/v?u=2&ns={ns}", headers={"X-L": lang, "X-M": m})
        is_((r.cache, r.body.split()[2]), ("HIT", lang.encode()), f"{ns} {lang} {m}: hit")

    # many at once: one fetch for all queries that are known to be equivalent
    rules["/many"] = ["params"]
    ask("/many?n=0")
    is_(ng.purge("/many?n=0").status, 200, "70 clients: the rule is known, the entry gone")
    origin.forget()
    rs = ng.swarm([Client(f"/many?n={i % 7}") for i in range(70)])
    is_({(r.status, r.error) for r in rs}, {(200, None)}, "70 clients")
    is_(origin.count("/many"), 1, "70 clients: one fetch")
    is_(ng.quiet(), {}, "all at rest")

    # a rule that the origin gives up: those who wait neither queue up nor get what was there before
    rules["/gone"] = rules["/short"] = ["params"]
    slow_paths.extend(["/gone", "/short"])
    ask("/gone?n=0"), ng.purge("/gone?n=0")
    ask("/short?n=0")
    rules["/gone"] = rules["/short"] = []
    time.sleep(1.1)
    version[0] += 1
    for path in "/gone", "/short":
        origin.forget()
        begin = time.monotonic()
        rs = ng.swarm([Client(f"{path}?n={i % 15}") for i in range(30)])
        ok(time.monotonic() - begin < 1.5 * SLOW, f"{path}: 15 queries side by side")
        is_([r.body for r in rs], [f"{version[0]} {path}?n={i % 15} None".encode() for i in range(30)], f"{path}: its own")
        ok(origin.count(path) <= 17, f"{path}: one fetch for each ({origin.count(path)})")
    is_(ng.quiet(), {}, "at rest again")
    is_({ask(f"/many?n={i}")[0] for i in range(7)} <= {"HIT"}, True, "all hit")
