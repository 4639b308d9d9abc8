#!/usr/bin/env python3
"""strata_fetch_by_lua: bypass, pass, namespace, origin mode, and what the origin is sent."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    seen = []

    @origin.route("/*")
    def _(req):
        seen.append({k.lower(): v for k, v in req.headers})
        return Reply(f"{len(seen)}".encode(), cc="max-age=60" if "short" not in req.target else "max-age=1")

    ng = t.nginx(origin, only="""
        location / { strata_cache z; proxy_pass http://%ORIGIN%; strata_purge 1; strata_fetch_by_lua_file fetch.lua; }
        location /off { strata_cache z; proxy_pass http://%ORIGIN%; strata_fetch_by_lua_file off; }
        location /bad { strata_cache z; proxy_pass http://%ORIGIN%; strata_fetch_by_lua_block { fetch.nothing = 1 } }
        location /host { strata_cache z; proxy_pass http://%ORIGIN%; strata_fetch_by_lua_block { fetch.headers["host"] = "x" } }
        location /under { strata_cache z; proxy_pass http://%ORIGIN%; strata_fetch_by_lua_block { fetch.headers["content_length"] = "5" } }
        location /crlf { strata_cache z; proxy_pass http://%ORIGIN%; strata_fetch_by_lua_block { fetch.headers["x-a"] = "a\\r\\nb: c" } }
        location /mode { strata_cache z; proxy_pass http://%ORIGIN%; strata_fetch_by_lua_block { fetch.origin = "perhaps" } }""", start=False)
    ng.file("fetch.lua", """
        local want = req.headers["x-want"]
        if want == "bypass" then fetch.bypass = true end
        if want == "pass" then fetch.pass = true end
        if want == "avoid" or want == "never" then fetch.origin = want end
        fetch.namespace = req.headers["x-tenant"] or ""
        fetch.headers["x-secret"] = nil
        fetch.headers["x-added"] = "by " .. req.method
        fetch.headers["user-agent"] = "gateway"
        """)
    ng.start()

    ng.fill("/a", headers={"X-Secret": "1", "User-Agent": "me", "X-Kept": "k"})
    got = seen[-1]
    is_((got.get("x-secret"), got.get("x-added"), got.get("user-agent"), got.get("x-kept")),
        (None, "by GET", "gateway", "k"), "what a fetch sends")
    is_(ng.get("/a").cache, "HIT", "stored")
    n = len(seen)
    r = ng.get("/a", headers={"X-Want": "pass", "X-Secret": "1", "Cookie": "a=b"})
    is_((r.cache, len(seen)), ("PASS", n + 1), "pass")
    got = seen[-1]
    is_((got.get("x-secret"), got.get("x-added"), got.get("cookie")), (None, "by GET", "a=b"), "sends the same")
    r = ng.get("/a", headers={"X-Want": "bypass"})
    is_((r.cache, len(seen)), ("BYPASS", n + 2), "bypass")

    ng.fill("/t", headers={"X-Tenant": "one"})
    is_(ng.get("/t", headers={"X-Tenant": "two"}).cache, "MISS", "each tenant for itself")
    is_(ng.get("/t", headers={"X-Tenant": "one"}).cache, "HIT", "the first one")
    is_(ng.purge("/t", headers={"X-Tenant": "one"}).status, 200, "a PURGE runs the hook too")
    is_((ng.get("/t", headers={"X-Tenant": "one"}).cache, ng.get("/t", headers={"X-Tenant": "two"}).cache),
        ("MISS", "HIT"), "and finds the right one")

    r = ng.get("/none", headers={"X-Want": "never"})
    is_(r.status, 504, "never: nothing stored, nothing asked")
    ng.fill("/short")
    time.sleep(1.1)
    n = len(seen)
    r = ng.get("/short", headers={"X-Want": "never"})
    is_((r.status, r.body), (200, str(n).encode()), "never: stale is good enough")
    r = ng.get("/avoid", headers={"X-Want": "avoid"})
    is_(r.status, 200, "avoid: asks where nothing is stored")

    ng.fill("/off")
    is_(ng.get("/off").cache, "HIT", "off")
    for k, where in enumerate(("bad", "host", "under", "crlf", "mode")):
        r = ng.get(f"/{where}")
        is_((r.status, r.cache, r.why, ng.count("lua_errors")), (200, "PASS", "hook", k + 1), f"{where}: an error passes")
        ok("b" not in seen[-1] and "content_length" not in seen[-1] and seen[-1].get("host") != "x", f"{where}: and sends nothing of it")
