#!/usr/bin/env python3
"""Every reason has a way to be met; it is counted, and in $strata_reason and Cache-Status where a client can see it."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

import re

WORDS = re.findall(r'^STRATA_REASON\(\w+,\s*"([^"]+)"', (ROOT / "src/base/strata_reason.def").read_text(), re.M)
ELSEWHERE = {"no-seat": "t/30-l1/no-seat.t",      # takes 65 workers
             "isolated": "t/60-purge/isolated.t", # and a log
             "hook": "t/70-lua/key.t",            # takes Lua
             "l2": "t/40-l2/basics.t",            # these take Redis
             "l2-busy": "t/40-l2/busy.t",
             "l2-timeout": "t/40-l2/policy.t", "l2-down": "t/40-l2/policy.t",
             "l2-error": "t/40-l2/damaged.t", "l2-damaged": "t/40-l2/damaged.t"}
BIG = 60_000
met = set()


def ng_later(path, gate):
    """The answer to a request that goes alone to an origin that is let go then."""
    with ng.conn() as c:
        c.send(build(path))
        gate.arrived(2)
        gate.open()
        return c.read()


with scenario() as t:
    origin = t.origin()
    gates = {}

    def vary(value):
        return Reply(b"x", cc="max-age=60", headers=[("Vary", value)])

    replies = {
        "ok": Reply(b"x", cc="max-age=60"), "short": Reply(b"x", cc="max-age=1"), "private": Reply(b"x", cc="private"),
        "no-store": Reply(b"x", cc="no-store"), "no-cache": Reply(b"x", cc="no-cache"),
        "cookie": Reply(b"x", cc="max-age=60", headers=[("Set-Cookie", "a=b")]), "none": Reply(b"x"),
        "zero": Reply(b"x", cc="max-age=0"), "star": vary("*"), "limit": vary(", ".join(f"X-{i}" for i in range(17))),
        "vary": vary("X-L"), "varycookie": vary("Cookie"), "416": Reply(b"x", 416, cc="max-age=60"),
        "206": Reply(b"x", 206, cc="max-age=60", headers=[("Content-Range", "bytes 0-0/1")]),
        "html": Reply(b"x", cc="max-age=60", type="text/html"), "big": Reply(b"x" * 50_000, cc="max-age=60"),
        "bigchunked": Reply(b"x" * 50_000, cc="max-age=60", chunked=True),
        "huge": Reply(b"x" * 400_000, cc="max-age=60"), "hugechunked": Reply(b"x" * 400_000, cc="max-age=60", chunked=True),
        "cut": Reply(b"x" * 5_000, cc="max-age=60", cut=100),
        "bad": Reply(b"x", cc="max-age=60", headers=[(f"X-{i}", "1") for i in range(130)]),
        "tags": Reply(b"x", cc="max-age=60", headers=[("Surrogate-Key", "a b")]),
        "eof": Reply(b"x", cc="max-age=60", eof=True), "accel": Reply(b"", headers=[("X-Accel-Redirect", "/else")]),
        "etag": Reply(b"x", cc="max-age=60", headers=[("ETag", '"e"')]),
        "dead": lambda req: req.close(),
    }

    @origin.route("/*")
    def _(req):
        name = req.path.split("/")[-1]
        if name in gates:
            gates[name].wait()
            return Reply(b"x", cc="max-age=60")
        if name.startswith("pin"):
            return Reply(blob(req.path, BIG), cc="max-age=600")
        reply = replies[name]
        return reply(req) if callable(reply) else reply

    proxy = "proxy_pass http://%ORIGIN%; proxy_http_version 1.1;"
    ng = t.nginx(
        origin, "strata_bypass $arg_b; strata_no_cache $arg_n; strata_types text/plain;"
        "strata_max_object 10k; strata_request_control on; strata_revalidate off;",
        http="strata_cache_status on; strata_zone full 1m; large_client_header_buffers 4 32k;", socket="sndbuf=16k", workers=1, locations=f"""
        location = /else {{ proxy_pass http://%ORIGIN%/ok; }}
        location /long/ {{ strata_cache z; strata_key $http_x_long; {proxy} }}
        location /uses/ {{ strata_cache z; strata_min_uses 2; {proxy} }}
        location /id/ {{ strata_cache z; strata_key_identity off; {proxy} }}
        location /novary/ {{ strata_cache z; strata_vary off; {proxy} }}
        location /grace/ {{ strata_cache z; strata_grace 60s; strata_purge 1; strata_purge_mode invalidate; {proxy} }}
        location /told/ {{ strata_cache z; rewrite ^/told(.*) $1 break; proxy_set_header X-Told $request_uri; {proxy} }}
        location /tags/ {{ strata_cache z; strata_tag_max 1; {proxy} }}
        location /any/ {{ strata_cache full; strata_max_object off; {proxy} }}
        location /graphql/ {{ strata_cache z; strata_methods GET POST; strata_key_body on graphql; {proxy} }}
        location /wait/ {{ strata_cache z; strata_lock_timeout 100ms; strata_purge 1; {proxy} }}
        location /crowd/ {{ strata_cache z; strata_lock_max_waiters 1; {proxy} }}""")

    def counted(word, zone="z"):
        return ng.reasons(zone).get(word, 0)

    def meets(word, ask, zone="z", counts=True):
        before = counted(word, zone)
        r = ask()
        is_(r.why, word, f"{word}: $strata_reason")
        like(r.get("Cache-Status") or "", f"detail={word}(;|$)", f"{word}: Cache-Status")
        if counts:
            is_(counted(word, zone) - before, 1, f"{word}: counted once")
        met.add(word)
        return r

    def get(path, **kw):
        return lambda: ng.fill(path, **kw)

    # of requests
    meets("miss", get("/ok"))
    meets("method", get("/ok", method="POST", body=b""))
    meets("body", get("/ok", body=b"x"))
    meets("upgrade", get("/ok", headers={"Upgrade": "x", "Connection": "upgrade"}))
    meets("event-stream", get("/ok", headers={"Accept": "text/event-stream"}))
    meets("bypass", get("/ok?b=1"))
    meets("auth", get("/ok", headers={"Cookie": "a"}))
    meets("key", get("/long/ok", headers={"X-Long": "x" * 9000}))
    meets("request", get("/ok", headers={"Cache-Control": "no-store"}))
    r = meets("request", get("/new/ok", headers={"Cache-Control": "only-if-cached"}))
    is_((r.status, r.get("Cache-Status")), (504, "Strata; detail=request"), "neither a hit nor forwarded")
    ng.fill("/again/ok")
    meets("request", get("/again/ok", headers={"Cache-Control": "no-cache"}))
    meets("min-uses", get("/uses/ok"))
    meets("graphql", get("/graphql/ok", method="POST", body=b'{"query":"mutation{a}"}',
                         headers={"Content-Type": "application/json"}))
    ng.fill("/vary", headers={"X-L": "1"})
    meets("vary-miss", get("/vary", headers={"X-L": "2"}))
    ng.fill("/short")
    time.sleep(1.1)
    meets("expired", get("/short"))
    ng.fill("/grace/ok")
    ng.request("/grace/ok", "PURGE")
    meets("soft-purge", get("/grace/ok"), counts=False)              # served stale

    # of responses
    for word, path in (("private", "/private"), ("hit-for-miss", "/private"), ("no-store", "/no-store"),
                       ("no-cache", "/no-cache"), ("no-cache-set", "/ok?n=1"), ("set-cookie", "/cookie"),
                       ("no-lifetime", "/none"), ("already-stale", "/zero"), ("vary-star", "/star"),
                       ("vary-limit", "/limit"), ("vary-credentials", "/varycookie"), ("vary-off", "/novary/vary"),
                       ("type", "/html"), ("size", "/big"), ("status", "/416"), ("partial", "/206"),
                       ("bad-header", "/bad"), ("no-length", "/eof"), ("request-uri", "/told/ok"),
                       ("tags", "/tags/tags")):
        meets(word, get(path))
    meets("size", get("/any/huge"), zone="full")
    meets("response-auth", get("/id/ok", headers={"Authorization": "Basic YTpi"}))
    r = meets("origin-error", get("/dead"))
    is_(r.status, 502, "on a page of nginx's own")
    for path, zone in (("/bigchunked", "z"), ("/any/hugechunked", "full")):
        before = counted("size", zone)
        r = ng.fill(path)
        is_((r.status, counted("size", zone) - before), (200, 1), f"{path}: outgrew it on the way")
    before = counted("truncated")
    ng.fill("/cut")
    at_least(counted("truncated") - before, 1, "truncated: counted")
    met.add("truncated")
    before = counted("redirect")
    is_(ng.fill("/accel").body, b"x", "where the origin sent nginx to")
    at_least(counted("redirect") - before, 1, "redirect: counted; the answer is of another location")
    met.add("redirect")
    r = ng.get("/again/ok", headers={"If-Match": '"other"'})
    is_(r.status, 412, "a condition that does not hold")
    like(r.get("Cache-Status") or "", "Strata; hit; ttl=", "says what it was judged by")

    # while others wait
    def held(path):
        name = path.split("/")[-1]
        gates[name] = Gate()
        c = t.keep(ng.conn())
        c.send(build(path))
        gates[name].arrived(1)
        return c, gates[name]

    c, gate = held("/wait/a")
    meets("lock-timeout", lambda: ng_later("/wait/a", gate))
    c.read()
    c, gate = held("/crowd/b")
    second = t.keep(ng.conn())
    second.send(build("/crowd/b"))
    wait_until(lambda: ng.count("waiters") == 1, 3)
    meets("lock-waiters", lambda: ng_later("/crowd/b", gate))
    read_all([c, second])
    c, gate = held("/wait/purged")
    before = counted("purged")
    ng.request("/wait/purged", "PURGE")
    gate.open()
    c.read()
    wait_until(lambda: counted("purged") > before, 3)
    is_(counted("purged") - before, 1, "purged: counted")
    met.add("purged")

    # all flights taken, and a zone that is read everywhere
    gates["f"] = Gate()
    conns = [t.keep(ng.conn()) for _ in range(200)]
    for i, c in enumerate(conns):
        c.send(build(f"/any/{i}/f"))
    gates["f"].arrived(200)
    gates["f"].open()
    words = {r.why for r in read_all(conns)}
    is_(words, {"miss", "lock-busy"}, "more keys at once than there are flights")
    at_least(counted("lock-busy", "full"), 1, "lock-busy: counted")
    met.add("lock-busy")
    slow = []
    for i in range(30):
        ng.get(f"/any/pin{i}")
        c = t.keep(ng.conn(rcvbuf=8192))
        c.send(build(f"/any/pin{i}"))
        slow.append(c)
        time.sleep(0.02)
    meets("zone-full", lambda: ng.get("/any/pin99"), zone="full")
    for c in slow:
        c.reset()

    for word, file in ELSEWHERE.items():
        like((ROOT / file).read_text(), f"[\"']{word}[\"']", f"{word}: met in {file}")
    is_(sorted(set(WORDS) - met - set(ELSEWHERE)), [], "no reason that nothing gives")
    is_(sorted(set(ng.reasons()) - set(WORDS)), [], "no word that is not on the list")
