#!/usr/bin/env python3
"""strata_request_control: what a request's Cache-Control says counts, if it is let (RFC 9111, 5.2.1)."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    for line, bad in (("strata_request_control maybe", "maybe"), ("strata_request_control on off", "on"),
                      ("strata_request_control trusted=", "trusted="),
                      ("strata_request_control trusted=10.0.0.0/8,x", "trusted=10.0.0.0/8,x"),
                      ("strata_request_control trusted=1.2.3.4 off", "off"),
                      ("strata_request_control trusted=1.2.3.0/33", "trusted=1.2.3.0/33")):
        message = t.config_error(only=f"location / {{ {line}; }}") or "accepted"
        ok(f'"{bad}"' in message and "strata_request_control" in message, f"{line}: quoted ({message.strip()[-90:]})")
    ok(t.config_error(only="location / { strata_request_control on; strata_request_control off; }"), "twice: refused")
    for line in ("on", "off", "trusted=127.0.0.1", "trusted=10.0.0.0/8,::1 trusted=unix:"):
        is_(t.config_error(only=f"location / {{ strata_request_control {line}; }}"), None, line)

    origin = t.origin()
    served = {}

    @origin.route("/*")
    def _(req):
        n = served[req.path] = served.get(req.path, 0) + 1
        name = req.path.split("/")[-2]
        if name == "gone" and n > 1:
            return Reply(b"gone", 404, cc="no-store")
        if name == "dead" and n > 1:
            req.close()
        if name == "500" and n > 1:
            return Reply(b"oops", 500)
        headers = [("ETag", '"e"')] if name == "etag" else []
        if name == "aged":
            headers.append(("Age", "30"))
        if name == "etag" and req.get("If-None-Match"):
            return Reply(b"", 304, headers=headers, cc="max-age=60")
        cc = {"short": "max-age=1", "must": "max-age=1, must-revalidate", "swr": "max-age=1, stale-while-revalidate=60",
              "private": "private"}.get(name, "max-age=60")
        return Reply(b"%d" % n, cc=cc, headers=headers)

    proxy = "proxy_pass http://%ORIGIN%; proxy_http_version 1.1;"
    ng = t.nginx(origin, http="strata_cache z; strata_jitter off; strata_cache_status on;", only=f"""
        location /on/ {{ strata_request_control on; strata_keep 60s; strata_grace 60s; strata_use_stale error timeout;
                         {proxy}
            location /on/off/ {{ strata_request_control off; {proxy} }}
            location /on/same/ {{ {proxy} }}
            location /on/bypass/ {{ strata_bypass 1; {proxy} }}
            location /on/nostale/ {{ strata_use_stale off; {proxy} }}
            location /on/quiet/ {{ strata_background_update off; {proxy} }} }}
        location /default/ {{ {proxy} }}
        location /far/ {{ strata_request_control trusted=10.0.0.0/8; {proxy} }}
        location /near/ {{ strata_request_control trusted=10.0.0.0/8,127.0.0.0/8; {proxy} }}""")

    def ask(path, cc=None, **more):
        return ng.fill(path, headers={**({"Cache-Control": cc} if cc else {}), **more})

    # off, by default, for strangers: nothing of it counts
    for path in "/default/a", "/far/a", "/on/off/a":
        ask(path)
        for cc in "no-cache", "max-age=0", "min-fresh=1000", "no-store", "only-if-cached":
            is_(ask(path, cc).cache, "HIT", f"{path} {cc}: not heeded")
        is_(ask(path + "2", "only-if-cached").status, 200, f"{path}: only-if-cached not heeded")
        is_(ask(path + "3", "no-store").store, "STORED", f"{path}: no-store not heeded")

    # a fresh entry that is not good enough
    for where in "/on/", "/near/", "/on/same/":
        for i, kw in enumerate((dict(cc="no-cache"), dict(cc="max-age=0"), dict(cc="min-fresh=61"),
                                dict(Pragma="x, no-cache"), dict(cc="max-age=1, no-cache"))):
            p = f"{where}f/{i}"
            ask(p)
            is_(ask(p).cache, "HIT", f"{p}: there")
            r = ask(p, **kw)
            is_((r.cache, r.why, r.body), ("EXPIRED", "request", b"2"), f"{p} {kw}: the origin is asked")
            like(r.get("Cache-Status"), "fwd=request; fwd-status=200; ttl=(59|60); stored; detail=request", f"{p}: said")
            r = ask(p)
            is_((r.cache, r.body), ("HIT", b"2"), f"{p}: the new one is there for all")
    for cc in "max-age=60", "min-fresh=1", "max-stale", "no-transform", "foo=bar":
        is_(ask("/on/f/0", cc).cache, "HIT", f"{cc}: good enough")
    is_(ask("/on/f/0", "foo", Pragma="no-cache").cache, "HIT", "Pragma beside Cache-Control says nothing")
    ask("/on/aged/a")
    is_(ask("/on/aged/a", "max-age=31").cache, "HIT", "Age below max-age")
    is_(ask("/on/aged/a", "max-age=20").why, "request", "Age above max-age")

    ask("/on/etag/a")
    r = ask("/on/etag/a", "no-cache")
    is_((r.cache, r.body, origin.last("/on/etag/a").get("If-None-Match")), ("REVALIDATED", b"1", '"e"'),
        "validated with the stored tag")

    # the origin's word, or its silence
    ask("/on/gone/a")
    r = ask("/on/gone/a", "no-cache")
    is_((r.status, r.body), (404, b"gone"), "what the origin says now is what counts")
    is_(ask("/on/gone/a").status, 404, "the old one is not there any more")
    ask("/on/dead/a")
    r = ask("/on/dead/a", "no-cache")
    is_((r.status, r.cache, r.body), (200, "STALE", b"1"), "an origin that cannot be asked: what is stored")
    ask("/on/nostale/dead/a")
    is_(ask("/on/nostale/dead/a", "no-cache").status, 502, "strata_use_stale off: not even then")
    is_(ask("/on/nostale/dead/a").cache, "HIT", "but it is still there")
    ask("/on/500/a")
    r = ask("/on/500/a", "no-cache")
    is_((r.status, ask("/on/500/a").cache), (500, "HIT"), "a 500 is passed on, the entry stays")

    # stale entries
    ask("/on/short/a"), ask("/on/must/a"), ask("/on/swr/a"), ask("/on/swr/b")
    ask("/on/quiet/short/a")
    time.sleep(1.2)
    is_(ask("/on/short/a", "max-stale=0").why, "expired", "max-stale=0 is over")
    time.sleep(1.2)
    r = ask("/on/short/a", "max-stale=60")
    is_((r.cache, r.why, r.body), ("STALE", "expired", b"2"), "max-stale: served, and refreshed")
    wait_until(lambda: served["/on/short/a"] == 3, 3)
    is_(served["/on/short/a"], 3, "in the background")
    r = ask("/on/quiet/short/a", "max-stale=60")
    is_((r.cache, r.body, served["/on/quiet/short/a"]), ("STALE", b"1", 1), "or not, if not let")
    is_(ask("/on/must/a", "max-stale").cache, "EXPIRED", "must-revalidate is stronger")
    is_(ask("/on/swr/a", "max-age=100").cache, "EXPIRED", "max-age without max-stale wants nothing stale")
    is_(ask("/on/swr/b", "max-age=100, max-stale").cache, "STALE", "with it, it does")

    # no-store: past the cache
    r = ask("/on/n/a", "no-store")
    is_((r.cache, r.why), ("PASS", "request"), "no-store: past the cache")
    like(r.get("Cache-Status"), "fwd=request", "and said so")
    is_(ask("/on/n/a").cache, "MISS", "nothing was stored")
    is_(ask("/on/n/a", "no-store").body, b"3", "nor is what is stored used")

    # only-if-cached
    n = origin.count()
    for path, kw in (("/on/o/a", {}), ("/on/bypass/o", {}), ("/near/o/a", {})):
        r = ask(path, "only-if-cached", **kw)
        is_((r.status, r.why), (504, "request"), f"{path}: nothing there")
    for method, kw in (("POST", dict(body=b"x")), ("GET", dict(headers={"Upgrade": "x", "Connection": "upgrade"}))):
        h = {**kw.pop("headers", {}), "Cache-Control": "only-if-cached"}
        is_(ng.request("/on/o/a", method, headers=h, **kw).status, 504, f"{method} that passes: 504 too")
    is_(ask("/on/o/a", "only-if-cached", Cookie="a=b").status, 504, "credentials: 504 too")
    is_(origin.count(), n, "the origin was not asked")
    is_(ask("/on/f/0", "only-if-cached").cache, "HIT", "what is there is given")
    is_(ask("/on/f/0", "only-if-cached, no-cache").status, 504, "unless it is refused")
    ask("/on/private/a")
    is_(ask("/on/private/a", "only-if-cached").status, 504, "hit-for-miss: 504")
    at_least(ng.reasons().get("request", 0), 20, "counted")

    # what the origin hears of it: that it is asked again, from those who may; nothing from the others
    for path, name, kw, want in (
            ("on", "nc", dict(cc="no-cache, x"), "no-cache"), ("on", "ma", dict(cc="max-age=0"), "no-cache"),
            ("on", "pr", dict(Pragma="no-cache"), "no-cache"), ("on", "ms", dict(cc="max-stale=9"), None),
            ("on", "mf", dict(cc="min-fresh=9, max-age=9"), None), ("near", "nc", dict(cc="no-cache"), "no-cache"),
            ("far", "nc", dict(cc="no-cache"), None), ("default", "oc", dict(cc="only-if-cached"), None),
            ("default", "ns", dict(cc="no-store, no-cache", Pragma="no-cache"), None)):
        ask(f"/{path}/heard/{name}", **kw)
        last = origin.last(f"/{path}/heard/{name}")
        is_((last.all("Cache-Control"), last.all("Pragma")), ([want] if want else [], []), f"{path} {kw}: heard")
    ask("/on/n/b", "no-store, x")
    is_(origin.last("/on/n/b").get("Cache-Control"), "no-store, x", "what goes past the cache keeps its own")

    # a storm of reloads is one fetch
    gate = Gate()

    @origin.route("/on/storm")
    def _(req):
        served["storm"] = served.get("storm", 0) + 1
        if served["storm"] > 1:
            gate.wait()
        return Reply(b"%d" % served["storm"], cc="max-age=60")

    ask("/on/storm")
    conns = [t.keep(ng.conn()) for _ in range(10)]
    for c in conns:
        c.send(build("/on/storm", headers={"Cache-Control": "no-cache"}))
    gate.arrived(1)
    wait_until(lambda: ng.count("waiters") == 9, 3)
    gate.open()
    got = read_all(conns)
    is_({r.body for r in got}, {b"2"}, "all get the new one")
    is_(served["storm"], 2, "which was fetched once")
