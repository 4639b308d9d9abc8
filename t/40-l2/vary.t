#!/usr/bin/env python3
"""Variants: the rule goes through L2, each variant is found, the first rule of two wins."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
import l2

with scenario() as t:
    origin = t.origin()
    n = {}

    @origin.route("/*")
    def _(req):
        lang = req.get("X-Lang", "-")
        n[req.path, lang] = n.get((req.path, lang), 0) + 1
        if req.path == "/race":
            gate.wait(10)
        names = "X-Lang, X-More" if req.path == "/more" and req.get("X-More") else "X-Lang"
        return Reply(f"{req.path} {lang} {req.get('X-More')}".encode(), cc="max-age=100",
                     headers=[("Vary", names)])

    gate = threading.Barrier(2)
    redis, a, b = l2.pair(t, origin)
    l2.ready(a), l2.ready(b)

    def lang(ng, path, x, **kw):
        return ng.get(path, headers=[("X-Lang", x), *kw.get("more", [])])

    for x in "de", "fr":
        a.fill("/v", headers=[("X-Lang", x)])
    ok(tap.wait_until(lambda: len(l2.keys(redis).get(":v", [])) == 2), "two variants stored")
    is_(len(l2.keys(redis)[""]), 1, "under one rule")

    for x in "de", "fr":
        r = lang(b, "/v", x)
        is_((r.status, r.body, r.get("X-Tier"), r.cache),
            (200, f"/v {x} None".encode(), "l2", "HIT"), f"{x} is a hit on the other")
        is_(lang(b, "/v", x).get("X-Tier"), "l1", f"{x} then of L1")
    r = lang(b, "/v", "it")
    is_((r.body, r.get("X-Tier")), (b"/v it None", "origin"), "a third one is fetched")
    b.quiet()
    ok(tap.wait_until(lambda: len(l2.keys(redis)[":v"]) == 3), "and stored beside them")
    is_(len(l2.keys(redis)[""]), 1, "under the same rule")
    r = lang(a, "/v", "it")
    is_((r.body, r.get("X-Tier")), (b"/v it None", "l2"), "where the first one finds it")
    is_(set(n.values()), {1}, "each variant was fetched once")

    # both nodes make a rule of their own at once
    th = [in_thread(lang, ng, "/race", x) for ng, x in ((a, "de"), (b, "fr"))]
    is_([x.join().body for x in th], [b"/race de None", b"/race fr None"], "two rules at once")
    a.quiet(), b.quiet()
    tap.wait_until(lambda: a.count("l2_queued") == b.count("l2_queued") == 0)
    is_(a.count("l2_refused") + b.count("l2_refused"), 1, "one store is refused")
    gate.reset()
    first, second = (a, b) if b.count("l2_refused") else (b, a)
    x = "de" if first is a else "fr"
    r = lang(second, "/race", x)
    is_((r.body, r.get("X-Tier")), (f"/race {x} None".encode(), "l2"),
        "whose rule lost adopts the other, and has its variant")

    # a longer rule takes the place of a shorter one
    a.fill("/more", headers=[("X-Lang", "de")])
    ok(tap.wait_until(lambda: len(l2.keys(redis)[""]) == 3), "a short rule")
    is_(lang(b, "/more", "de").get("X-Tier"), "l2", "is adopted")
    lang(b, "/more", "en", more=[("X-More", "1")])
    b.quiet()
    tap.wait_until(lambda: b.count("l2_queued") == 0)
    r = lang(a, "/more", "en", more=[("X-More", "1")])
    is_((r.body, r.get("X-Tier")), (b"/more en 1", "l2"), "and so is the longer one")
    r = lang(a, "/more", "en", more=[("X-More", "2")])
    is_((r.body, r.get("X-Tier")), (b"/more en 2", "origin"), "which tells them apart")
