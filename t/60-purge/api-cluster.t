#!/usr/bin/env python3
"""The admin API and a cluster's log: answered when all nodes are past it, refused with the log's reason."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
import invlog

import json, os, signal, time

TOKEN = "test-token-0123456789"

with scenario(120) as t:
    origin = t.origin()
    origin.route("/*")(lambda req: Reply(b"x", cc="max-age=100", headers=[
        ("Surrogate-Key", "all " + req.path[1:].replace("/", " "))]))
    tokens = pathlib.Path(origin.dir if hasattr(origin, "dir") else "/tmp", f"strata-tokens-{os.getpid()}")
    tokens.write_text(TOKEN)
    redis, a, b = invlog.pair(t, origin, http="strata_purge_group g tags=g1,g2;", locations=f"""
        location /api/ {{
            strata_cache z; strata_api write=on; strata_api_token {tokens};
            strata_on_event e purge "tags={{tag}}";
        }}
        location /write {{ {CACHE} {PROXY} strata_invalidate_on POST tags=$arg_tag; }}""")
    tokens.unlink()
    auth = [("Authorization", f"Bearer {TOKEN}")]

    def call(ng, path, what=None, method="POST", **kw):
        r = ng.request("/api/" + path, method, body=None if what is None else json.dumps(what).encode(), headers=auth, **kw)
        return r, json.loads(r.body)

    def fill(*paths):
        for p in paths:
            for ng in a, b:
                ng.get(p)
                ng.quiet()
                is_(ng.get(p).cache, "HIT", f"{p}: each has it")

    fill("/t1", "/t2", "/g1", "/g2", "/k1")
    r, j = call(a, "purge", {"tags": ["t1", "t2"]})
    is_((r.status, j["acked"], j["expired"], j["events"]), (200, 2, 0, 1), f"tags: {j}")
    is_([b.get(p).cache for p in ("/t1", "/t2", "/g1")], ["MISS", "MISS", "HIT"], "gone on the other node")
    seq = j["sequence"]
    r, j = call(a, "tags/t1", method="GET")
    r, k = call(b, "tags/t1", method="GET")
    is_((j["deleted"] > 0, k["deleted"] > 0), (True, True), f"both know of the tag: {j} {k}")
    r, j = call(b, "purge", {"group": "g"})
    is_((r.status, j["sequence"]), (200, seq + 1), "a group")
    is_([a.get(p).cache for p in ("/g1", "/g2", "/k1")], ["MISS", "MISS", "HIT"], "gone on the first")
    r, j = call(a, "purge", {"keys": [f"k{i}" for i in range(300)] + ["http|localhost|/k1|"]})
    is_((r.status, j["events"], j["acked"], j["sequence"]), (200, 3, 2, seq + 4), f"three events, one answer: {j}")
    is_(b.get("/k1").cache, "MISS", "all of them are carried out")
    for wait, status in ("node", 200), ("log", 202):
        r, j = call(a, "purge", {"tags": ["x"], "wait": wait})
        is_((r.status, "acked" in j), (status, False), f"wait={wait}")
    fill("/d1")
    r, j = call(a, "keys/http%7Clocalhost%7C%2Fd1%7C", method="DELETE")
    is_((r.status, j["count"], j["acked"]), (200, 1, 2), "DELETE of a key")
    is_(b.get("/d1").cache, "MISS", "on the other node, too")

    fill("/e1", "/w1")
    r, j = call(b, "events", {"topic": "e", "data": {"tag": "e1"}})
    is_((r.status, j["acked"]), (200, 2), "an event")
    r, j = call(b, "events?wait=log", {"topic": "e", "data": {"tag": "e2"}})
    is_((r.status, j["job"][:4]), (202, "log-"), "an event that nobody waits for")
    is_(a.get("/e1").cache, "MISS", "gone on the other node")
    is_(a.request("/write?tag=w1", "POST", body=b"x").status, 200, "a write with a rule")
    is_(a.get("/w1").cache, "MISS", "gone here before the answer")
    ok(wait_until(lambda: b.get("/w1").cache != "HIT", 5), "and there soon")

    r, j = call(a, "health", method="GET")
    zone = j["zones"]["z"]
    is_((r.status, zone["leased"], zone["lag"]), (200, True, 0), "healthy")
    ok(zone["tail"] in a.workers(), f"who reads the log: {zone['tail']}")
    r, k = call(a, "purge", {"tags": ["h"]})
    ok(call(a, "health", method="GET")[1]["zones"]["z"]["sequence"] >= k["sequence"], "past what was answered")

    note("who does not wait")
    b.send_signal(signal.SIGSTOP)
    for w in b.workers():
        os.kill(w, signal.SIGSTOP)
    conns = [a.conn() for _ in range(20)]
    body = json.dumps({"tags": ["y"] + [f"y{i}" for i in range(400)]}).encode()
    for c in conns:
        c.send(b"POST /api/purge HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n"
               % (TOKEN.encode(), len(body)) + body)
    time.sleep(0.2)
    for c in conns[:10]:
        c.close()
    a.reload(wait=False)
    start = time.monotonic()
    rs = [c.read() for c in conns[10:]]
    is_({r.status for r in rs}, {200}, "the others are answered, though there was a reload")
    is_({json.loads(r.body)["expired"] for r in rs}, {1}, "when the one that is away has lost its lease")
    ok(1.0 <= time.monotonic() - start <= 4 * max(1, SLOW), f"after {time.monotonic() - start:.1f} s")
    for w in b.workers():
        os.kill(w, signal.SIGCONT)
    b.send_signal(signal.SIGCONT)
    is_(a.get("/e1").status, 200, "the node serves on")
    ok(wait_until(lambda: b.status()["log"]["lease_ms"] > 0, 5), "the other comes back")

    note("without the log")
    fill("/z1")
    redis("CONFIG", "SET", "maxmemory", "1")
    r, j = call(a, "purge", {"tags": ["z1"]})
    is_((r.status, j["error"], j["reason"]), (503, "unavailable", "oom"), f"refused: {j}")
    is_(a.get("/z1").cache != "HIT", True, "gone on this node all the same")
    redis("CONFIG", "SET", "maxmemory", "0")
    redis.stop()
    a.allowed += ["strata"]
    b.allowed += ["strata"]
    r, j = call(a, "purge", {"tags": ["t1"]})
    is_((r.status, j["error"]), (503, "unavailable"), f"no Redis: {j}")
    ok(wait_until(lambda: call(a, "health", method="GET")[0].status == 503, 5), "and it is not healthy")
