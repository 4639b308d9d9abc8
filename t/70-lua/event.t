#!/usr/bin/env python3
"""strata_event_by_lua and strata.publish: what is purged and published is told, in order, on each node, once."""
import json, pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
import invlog, l2

HOOK = """
    strata_event_by_lua_block {
        local z = strata.zone("z")
        local seen = z:get("seen") or ""
        z:set("seen", table.concat { seen, event.type, " ", event.topic or event.mode, " ",
                                     event.data or table.concat(event.subjects, "+"), " ", event.zone, "\\n" })
        z:set("sequence", event.sequence or 0)
        if event.data == "fail" then error("no luck") end
        if event.data == "loop" then while true do end end
        if event.data == "chain" then strata.publish("custom.next", "link") end
    }
"""
LOCATIONS = """
    location /o/ { strata_cache z; strata_purge on; strata_tags $arg_t; proxy_pass http://%ORIGIN%; }
    location = /seen { strata_content_by_lua_block { return strata.zone("z"):get("seen") or "" } }
    location = /sequence { strata_content_by_lua_block { return tostring(strata.zone("z"):get("sequence")) } }
    location = /publish { strata_content_by_lua_block {
        local ok, err = strata.publish(req.args.topic, req.args.json and { id = 42 } or req.args.data or "")
        return tostring(ok) .. " " .. tostring(err) } }
    location = /purge { strata_content_by_lua_block {
        return tostring(strata.zone("z"):purge { tags = { "a", "b" }, mode = "invalidate" }) } }
    location = /misuse { strata_content_by_lua_block {
        local out = {}
        for i, args in ipairs { { "" }, { ("x"):rep(129), "" }, { "a b", "" }, { "a\\n", "" }, { "t" }, { "t", 7 }, { "t", ("x"):rep(8193) } } do
            local ok, err = pcall(strata.publish, unpack(args))
            out[i] = ok and "accepted" or "refused"
        end
        out[#out + 1] = tostring(select(2, pcall(function() return event.type end))):match("no event")
        return table.concat(out, " ") } }
"""


def seen(ng):
    return ng.get("/seen").body.decode().splitlines()


with scenario(seconds=60) as t:
    origin = t.origin()
    origin.reply("/*", Reply(b"x", cc="max-age=600"))

    ng = t.nginx(origin, only=LOCATIONS, http=HOOK, workers=1)
    is_(ng.get("/publish?topic=data:products&data=42").body, b"true nil", "published")
    ok(wait_until(lambda: seen(ng) == ["data data:products 42 z"]), f"told: {seen(ng)}")
    is_(ng.get("/publish?topic=t&json=1").body, b"true nil", "a table")
    is_(ng.get("/publish?topic=empty").body, b"true nil", "nothing but a topic")
    ok(wait_until(lambda: seen(ng)[1:] == ['data t {"id":42} z', "data empty  z"]), f"in order: {seen(ng)}")
    is_(ng.get("/purge").body, b"true", "a purge by a script")
    ok(wait_until(lambda: seen(ng)[3:] == ["tags invalidate a+b z"]), f"with mode and subjects: {seen(ng)[3:]}")
    is_(ng.get("/sequence").body, b"0", "no sequence without a log")
    is_(ng.get("/misuse").body, b"refused " * 7 + b"no event", "misuse")
    for what in "fail", "loop":
        errors = ng.count("lua_errors")
        ng.get(f"/publish?topic=t&data={what}")
        ok(wait_until(lambda: ng.count("lua_errors") == errors + 1), f"{what}: counted")
    ok("no luck" in ng.log(), "and logged")
    n = len(seen(ng))
    ng.get("/publish?topic=t&data=chain")
    ok(wait_until(lambda: seen(ng)[n:] == ["data t chain z", "data custom.next link z"]), f"a hook may publish: {seen(ng)[n:]}")
    for i in range(100):
        ng.get(f"/publish?topic=n&data={i}")
    ok(wait_until(lambda: len(seen(ng)) == n + 102), "all of a hundred")

    text = t.config_error(http="strata_event_by_lua_block { x = } ")
    ok(text and "unexpected symbol" in text, "syntax is checked by nginx -t")

    # the log of a cluster: each node is told once, in one order
    redis = l2.server(t)
    nodes = []
    for _ in range(2):
        ng = t.nginx(origin, only=LOCATIONS, start=False,
                     http=f"strata_redis r {redis.url} timeout=2s; strata_events redis=r stream=log; strata_event_by_lua_file ev.lua;")
        ng.file("ev.lua", HOOK[HOOK.index("{") + 1:HOOK.rindex("}")])
        ng.start()
        nodes.append(ng)
    a, b = [invlog.leased(ng) for ng in nodes]
    for i in range(20):
        is_((a, b)[i % 2].get(f"/publish?topic=t&data={i}").body, b"true nil", f"{i} on {'ab'[i % 2]}")
    a.get("/purge")
    want = [f"data t {i} z" for i in range(20)] + ["tags invalidate a+b z"]
    for name, ng in ("a", a), ("b", b):
        ok(wait_until(lambda: seen(ng) == want, 10), f"{name} is told of all, once, in order: {len(seen(ng))}")
    ok(int(float(a.get("/sequence").body)) >= 21, "with the sequence of the log")
    a.fill("/o/a?x=1")
    is_(a.purge("/o/a?x=1").status, 200, "a PURGE")
    for ng in a, b:
        ok(wait_until(lambda: len(seen(ng)) == 22, 10), "is told")
        ok(seen(ng)[21].startswith("url delete http|localhost") and "/o/a|x=1" in seen(ng)[21], f"with its key: {seen(ng)[21]}")
    a.reload()
    b.get("/publish?topic=t&data=late")
    ok(wait_until(lambda: seen(a)[22:] == ["data t late z"], 10), "after a reload, too")
    redis.stop()
    out = a.get("/publish?topic=t&data=lost", timeout=20).body
    ok(out.startswith(b"nil "), f"what the log did not take is not published: {out}")
    redis.go_on()
