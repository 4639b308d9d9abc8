#!/usr/bin/env python3
"""POST /events reaches strata_event_by_lua: on each node once, in order, after its purges; of who may."""
import json, pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
import invlog, l2

ALL, SHOP = "all-token-0123456789", "shop-token-0123456789"
HOOK = """
    strata_event_by_lua_block {
        local z = strata.zone("z")
        local seen = z:get("seen") or ""
        if event.type == "data" then
            seen = seen .. table.concat({ event.topic, event.data, z:get("stock:7") or "none" }, " ") .. "\\n"
        else
            seen = seen .. event.type .. " " .. table.concat(event.subjects, "+") .. "\\n"
        end
        z:set("seen", seen)
    }
"""
API = """strata_api write=on; strata_api_token %DIR%/tokens; strata_cache z;
    strata_on_event "data:*" purge "tags=product:{id}"; strata_on_event other purge "tags=other:{id}" tags=product:7;"""
LOCATIONS = f"""
    location /o/ {{ strata_cache z; strata_tags $arg_t; proxy_pass http://%ORIGIN%; }}
    location /api/ {{ {API} }}
    location /scoped/ {{ {API} strata_api_scope tag=product:*; }}
    location = /seen {{ strata_content_by_lua_block {{ return strata.zone("z"):get("seen") or "" }} }}
    location = /stock {{ strata_content_by_lua_block {{
        return tostring(strata.zone("z"):set("stock:7", "there", {{ tags = {{ "product:7" }} }})) }} }}
"""


def gateway(t, origin, http="", hook=HOOK, **kw):
    ng = t.nginx(origin, only=LOCATIONS, http=http + hook, start=False, **kw)
    ng.file("tokens", f"{ALL}\n{SHOP} tag=product:*\n")
    ng.start()
    return ng


def seen(ng):
    return ng.get("/seen").body.decode().splitlines()


def post(ng, what, token=ALL, path="/api/events", **kw):
    r = ng.request(path, "POST", body=json.dumps(what).encode(), headers=[("Authorization", f"Bearer {token}")], **kw)
    j = json.loads(r.body)
    return (r.status, j.get("published"), j.get("reason")), j


def message(topic, **data):
    return {"topic": topic, "data": data}


def refused(ng, n):
    """Nothing of what is refused happens."""
    long = "x" * 8200
    is_(post(ng, [message("data:products", id=7), message("a", long=long)])[0], (413, None, "more than 8192 bytes"), "too long")
    is_(post(ng, [{"topic": "a"}] * 1001)[0], (413, None, "more than 1000 messages"), "too many")
    is_(post(ng, [message("data:products", id=7), {"topic": "a\nb"}])[0][0], 400, "a bad topic")
    is_(post(ng, [message("data:products", id=7), message("other", id=7)], SHOP)[0], (403, None, "outside of the scope"), "not its own")
    is_(post(ng, message("other", id=7), path="/scoped/events")[0][0], 403, "nor of this location")
    is_(seen(ng)[n:], [], "nothing was published or purged")


with scenario(seconds=60) as t:
    origin = t.origin()
    origin.reply("/*", Reply(b"x", cc="max-age=600"))

    note("one node, no log")
    ng = gateway(t, origin, workers=1)
    ng.get("/stock")
    is_(post(ng, message("data:products", id=7, name="\u00fc"))[0], (200, 1, None), "published")
    want = ["tags product:7", 'data:products {"id":7,"name":"\u00fc"} none']
    ok(wait_until(lambda: seen(ng) == want), f"the hook is told, and finds it purged: {seen(ng)}")
    refused(ng, 2)
    for what, data in ({"topic": "t"}, ""), ({"topic": "t", "data": "s", "id": "i", "ts": 1}, '"s"'), ({"topic": "t", "data": [1]}, "[1]"):
        is_(post(ng, what)[0], (200, 1, None), f"{what}: no rule, but published")
        ok(wait_until(lambda: seen(ng)[-1] == f"t {data} none"), f"as it is: {seen(ng)[-1]}")
    is_(post(ng, {"topic": "a", "data": "x" * 8190})[0], (200, 1, None), "8192 bytes")
    r, j = post(gateway(t, origin, hook=""), [message("data:products", id=7), message("t", long="x" * 9000)])
    is_((r, j["events"]), ((200, 0, None), 1), "neither hook nor log: purged only")

    note("two nodes and a log")
    redis = l2.server(t)
    log = f"strata_redis r {redis.url} timeout=2s; strata_events redis=r stream=log;"
    a, b = [invlog.leased(gateway(t, origin, log, workers=2)) for _ in range(2)]
    silent = invlog.leased(gateway(t, origin, log, hook=""))
    for ng in a, b:
        is_(ng.get("/stock").body, b"true", "a value")
    r, j = post(a, [message("data:products", id=i) for i in range(7, 10)] + [message("sold", n=1)])
    is_((r, j["unmatched"], j["events"], j["acked"]), ((200, 4, None), 1, 1, 3), f"published on a: {j}")
    want = ["tags product:7+product:8+product:9"] + [f'data:products {{"id":{i}}} none' for i in range(7, 10)] + ['sold {"n":1} none']
    for name, ng in ("a", a), ("b", b):
        ok(wait_until(lambda: seen(ng) == want, 10), f"{name}: {seen(ng)}")
    for i in range(20):
        is_(post((a, b, silent)[i % 3], message("n", i=i))[0], (200, 1, None), "published, whoever has a hook")
    want += [f'n {{"i":{i}}} none' for i in range(20)]
    is_(post(a, [message("m", i=i) for i in range(200)], timeout=30)[0], (200, 200, None), "200 at once")
    want += [f'm {{"i":{i}}} none' for i in range(200)]
    for name, ng in ("a", a), ("b", b):
        ok(wait_until(lambda: seen(ng) == want, 20), f"{name}: once, in order: {len(seen(ng))} of {len(want)}")
    n = len(want)
    refused(a, n)

    note("who may")
    is_(post(a, message("data:products", id=8), SHOP)[0], (200, 1, None), "what it may purge, a token may publish")
    is_(post(a, message("sold", n=2), SHOP)[0], (200, 0, None), "but nothing that no rule is about")
    is_(post(a, message("data:products", n=2), SHOP)[0], (200, 0, None), "or that purges nothing")
    is_(post(a, message("sold", n=2), path="/scoped/events")[0], (200, 0, None), "nor in a location with a scope")
    r, j = post(b, message("end"), path="/api/events?wait=log")
    is_(r, (202, 1, None), f"wait=log: {j}")
    want = ["tags product:8", 'data:products {"id":8} none', "end {} none"]
    ok(wait_until(lambda: seen(b)[n:] == want, 10), f"the others were not: {seen(b)[n:]}")

    note("the log does not take it")
    redis.stop()
    r, j = post(a, [message("data:products", id=7), message("sold")], timeout=20)
    is_(r[:2], (503, 0), f"503, nothing is published: {j}")
    r, j = post(a, message("sold"), timeout=20)
    is_(r[:2], (503, 0), f"nor if there is nothing to purge: {j}")
    redis.go_on()

    note("the client leaves while its messages are published")
    ok(wait_until(lambda: post(a, message("up"), timeout=20)[0][0] == 200, 10), "the log is back")
    body = json.dumps([message("left", i=i) for i in range(500)]).encode()
    for pause in 0.001, 0.01, 0.03:
        c = a.conn()
        c.send(b"POST /api/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n" % (ALL.encode(), len(body)) + body)
        time.sleep(pause)
        c.close()
    is_(post(a, message("last"), timeout=20)[0], (200, 1, None), "others are published")
    ok(wait_until(lambda: any(line.startswith("last ") for line in seen(b)), 10), "and told")
