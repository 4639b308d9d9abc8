#!/usr/bin/env python3
"""What the log remembers has a bound, in the zone and in Redis, and goes with time; none of it makes an old entry valid."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
import invlog, l2

TOKEN = "test-token-0123456789"
AUTH = [("Authorization", f"Bearer {TOKEN}"), ("Content-Type", "application/json")]
KEEP = 3

with scenario(90) as t:
    origin = t.origin()
    n = {}

    @origin.route("/*")
    def _(req):
        n[req.path] = n.get(req.path, 0) + 1
        return Reply(f"{n[req.path]}".encode(), cc="max-age=600",
                     headers=[("Surrogate-Key", "seldom " + req.path[1:])])

    redis = l2.server(t)
    tokens = pathlib.Path(f"/tmp/strata-tokens-{os.getpid()}")
    tokens.write_text(TOKEN)

    def node(keep):
        return invlog.leased(invlog.node(
            t, origin, redis.url, "strata_l2 r;", events=f"keep={keep}s maxlen=400", zone="z 1m",
            locations=f"location /api/ {{ strata_api write=on; strata_api_token {tokens}; }}"))

    a, b = node(KEEP), node(KEEP)

    def api(what, ng=a):
        r = ng.request("/api/purge", "POST", body=json.dumps(what).encode(), headers=AUTH)
        return r.status, json.loads(r.body)

    def table():
        return {k: int(redis(c, f"{{log}}:{k}" if k else "log")) for k, c in
                (("", "XLEN"), ("t", "ZCARD"), ("p", "ZCARD"), ("a", "ZCARD"), ("d", "ZCARD"), ("m", "HLEN"))}

    def memory():
        return int(re.search(rb"used_memory_dataset:(\d+)", redis("INFO", "memory"))[1])

    # all of what was fetched before the flood: one that nobody asks for, one that somebody does
    for ng in a, b:
        ng.get("/seldom"), ng.get("/often")
        ng.quiet()
    is_(b.get("/seldom").cache, "HIT", "an entry")
    base, empty = memory(), table()
    room = a.status()["log"]["tags_total"]

    # more tags than the zone has room for, and more patterns than Redis keeps
    status, said = api({"tags": ["often"]})
    is_(status, 200, f"one that counts: {said}")
    sent = 0
    while sent < max(room, 65536) + 2000:
        batch = [f"t{sent + i}" for i in range(1000)]
        status, said = api({"tags": batch, "wait": "log"})
        sent += len(batch)
        if status != 202:
            ok(False, f"{status} {said}")
            break
    for i in range(300):
        api({"prefix": f"none{i}", "wait": "log"})
    wait_until(lambda: a.status()["log"]["sequence"] == b.status()["log"]["sequence"]
               == int(redis("HGET", "{log}:h", "seq")), 10 * SLOW)
    s = a.status()["log"]
    full = table()
    peak = memory() - base
    note(f"{sent} tags: {s}, {full}, {peak} bytes more")
    ok(s["tags"] <= room, f"the zone knows {s['tags']} of {room}")
    ok(s["forgotten"] > 0 and s["floor"] > 0, f"it forgot {s['forgotten']}")
    ok(full["p"] <= 256, f"{full['p']} patterns in Redis")
    ok(full["t"] <= 65536 and full["t"] >= 2 * room, f"{full['t']} tags")
    ok(full[""] <= 400 + 100, f"{full['']} events in the stream")
    for ng in a, b:
        is_(ng.get("/often").body != b"1", True, "an event that was forgotten is no event that did not happen")
        is_(ng.get("/seldom").body != b"1", True, "nor is one that nobody asked for meanwhile vouched for")

    # with time all of it goes
    def gone():
        now = table()
        return not (now["t"] or now["p"] or now["d"]) and now[""] <= 1 and now["a"] <= 1
    ok(wait_until(gone, (KEEP * 2 + 10) * SLOW, 0.2), f"tables of Redis are empty {KEEP} s after the last event: {table()}")
    more = memory() - base
    ok(peak > 4_000_000 and more < peak / 20, f"and so is its memory: {more} bytes more, {peak} then")
    is_(table()["m"], 2, "two members")

    # who comes now knows how far back that is
    c = node(KEEP)
    tokens.unlink()
    is_(c.status()["log"]["sequence"], int(redis("HGET", "{log}:h", "seq")), "a new node is where the others are")
    status, said = api({"tags": ["seldom"]}, c)
    is_((status, said["acked"]), (200, 3), f"and counts: {said}")
    for ng in a, b, c:
        is_(ng.get("/seldom").body != b"1", True, "a purge after all that")
    c.stop()
    ok(wait_until(lambda: api({"tags": ["x"]})[1].get("expired") == 1, 10 * SLOW), "it left")
