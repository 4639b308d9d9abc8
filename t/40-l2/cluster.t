#!/usr/bin/env python3
"""Redis Cluster: calls find their server, also when slots move and servers die (F-14)."""
import hashlib, pathlib, re, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
from probe import Probe
from redis_cluster import Cluster, slot_of
import l2

N = 200


def release():
    """The script that ends a lock, as strata_script.c has it, and its name."""
    source = (ROOT / "src/redis/strata_script.c").read_text()
    return re.findall(r"[0-9a-f]{40}", source)[2]


with scenario(150) as t:
    cluster = t.keep(Cluster())

    # one server is enough to find the others
    p = Probe(t, f"{cluster.servers[0].url} mode=cluster")
    ok(p.up(6), "connections to three primaries, to no replica")

    def call(*words, key, **kw):
        kw.setdefault("timeout", 500)
        return p(*words, key=key, **kw)

    def all_read(keys, name):
        wrong = [a for k in keys if (a := call("GET", k, key=k)).lines != [f"${k}"]]
        is_(wrong[:3], [], name)

    keys = [f"s:{{{i}}}:x" for i in range(N)]
    is_({tuple(call("SET", k, k, key=k).lines) for k in keys}, {("+OK",)}, "stored")
    is_(len(cluster.keys()), N, "all of it is there")
    at_least(min(len(cluster.servers[i]("KEYS", "*")) for i in cluster.primaries()), N // 10,
             "on each of the primaries")
    all_read(keys, "read")
    a = p(cmds=[("GET", keys[0]), ("PTTL", keys[0]), ("SET", "{0}:y", "y"), ("GET", "{0}:y")],
          key=keys[0], timeout=2000)
    is_(a.lines, [f"${keys[0]}", ":-1", "+OK", "$y"], "four commands on one slot")
    call("DEL", "{0}:y", key="{0}")
    is_(p.stat()["redirects"], 0, "nobody was sent anywhere else: the slots are right")
    like(call("MGET", "{0}", "{1}", key="{0}").first, "^-CROSSSLOT", "CROSSSLOT is the caller's")

    # slots that have moved
    there = cluster.primaries()
    moved = [k for k in keys[:60] if cluster.primary(slot_of(k)) != there[0]]
    for k in moved:
        cluster.move(slot_of(k), there[0])
    all_read(keys, "MOVED is followed")
    got = p.stat()["redirects"]
    ok(1 <= got <= len(moved), f"once for each of {len(moved)}, or less: {got}")
    wait_until(lambda: p.stat()["in_flight"] == 0, 2)
    time.sleep(1.1)                # for the map to be read again
    before = p.stat()["redirects"]
    all_read(keys, "read once more")
    is_(p.stat()["redirects"], before, "without a redirect")

    # a slot between two servers, its keys at the old one, then at the new one
    k = keys[100]
    slot, i = slot_of(k), cluster.primary(slot_of(k))
    to = next(x for x in there if x != i)
    sha = release()
    with cluster.moving(slot, to):
        is_(call("GET", k, key=k).lines, [f"${k}"], "a key that has not gone yet")
        is_(p.stat()["redirects"], before, "  no redirect")
        is_(call("GET", "{100}:new", key=k).lines, ["nil"], "a key that is nowhere")
        at_least(p.stat()["redirects"] - before, 1, "  ASK was followed")
        is_(call("SET", "{100}:new", "1", key=k).lines, ["+OK"], "a new key")
        is_(cluster.servers[to]("CLUSTER", "COUNTKEYSINSLOT", slot), 1, "  is at the new server")
        # commands of one call, each with a key of its own
        is_(p(cmds=[("GET", k), ("GET", "{100}:new"), ("TIME",), ("STRLEN", k)], key=k,
              timeout=2000).lines[:3], [f"${k}", "$1", "*2"], "one key here and one there: both are read")
        is_(p(cmds=[("APPEND", k, "+"), ("GET", "{100}:new"), ("APPEND", k, "+")], key=k,
              timeout=2000).lines,
            [f":{len(k) + 1}", "$1", f":{len(k) + 2}"], "what was carried out is not once more")
        call("SET", k, k, key=k)
        # one command, or a script, with both
        a = call("MGET", k, "{100}:new", key=k, timeout=200)
        ok(a.rc == "timeout" and a.ms >= 199, "both in one command: it is tried until the deadline")
        th = [in_thread(lambda x: call(*x, key=k, timeout=3000), x) for x in
              (("MGET", k, "{100}:new"), ("EVALSHA", sha, 2, k, "{100}:new", k, "x"))]
        time.sleep(0.3)
        cluster.migrate(slot, i, to)
        is_(th[0].join().lines in (["*2", f"${k}", "$1"], ["*2", "nil", "$1"]), True,
            "and works if the key arrives meanwhile")
        is_(th[1].join().lines, [":1"], "a script too")
        call("SET", k, k, key=k)
        is_(call("GET", k, key=k).lines, [f"${k}"], "a key that has gone")
        is_(p(cmds=[("GET", k), ("STRLEN", k), ("GET", "{100}:new")], key=k, timeout=2000).lines,
            [f"${k}", f":{len(k)}", "$1"], "ASKING is before each command")
        cluster.servers[to]("SCRIPT", "FLUSH")
        a = call("EVALSHA", sha, 2, "{100}:l", "{100}:l", "token", "x", key=k)
        unlike(a.first, "NOSCRIPT|ASK|MOVED", "a script, which the new server does not have yet")
    cluster.settle()
    is_(call("GET", k, key=k).lines, [f"${k}"], "the slot has arrived")

    # the keys of a URL on two servers: the rule has gone, the variant not yet
    origin = t.origin()
    origin.reply("/v", Reply(b"variant", cc="max-age=600", headers=[("Vary", "X-L")]))
    where = f"{cluster.servers[0].url} mode=cluster timeout=500ms"
    a, = l2.gateways(t, origin, where, n=1)
    l2.ready(a)
    a.fill("/v")
    ok(wait_until(lambda: any(b":v:" in x for x in cluster.keys())), "a rule and a variant")
    of_url = [x for x in cluster.keys() if x.startswith(b"strata:{")]
    rule, variant = sorted(of_url, key=len)
    slot = slot_of(rule)
    i = cluster.primary(slot)
    to = next(x for x in there if x != i)
    b, = l2.gateways(t, origin, where, n=1)
    l2.ready(b)
    with cluster.moving(slot, to):
        cluster.servers[i]("MIGRATE", "127.0.0.1", cluster.servers[to].port, "", 0, 5000,
                           "KEYS", rule)
        r = b.get("/v")
        is_((r.tier, r.body), ("l2", b"variant"), "a URL on two servers is a hit")
    cluster.settle()
    is_(origin.count("/v"), 1, "fetched once")

    # channels: any server has them all
    th = in_thread(lambda: p.get(sub="news", n=1))
    wait_until(lambda: any(s("PUBSUB", "NUMSUB", "news")[1] for s in cluster.servers
                           if s.running()), 5)
    other = next(s for s in cluster.servers if not s("PUBSUB", "NUMSUB", "news")[1])
    other("PUBLISH", "news", "hello")
    like(th.join().body.decode(), "ready\nmessage hello", "a message from another server")

    # a replica becomes a primary, in agreement
    old = cluster.primary(slot_of(keys[0]))
    new = cluster.in_step(old)
    cluster.failover(new)
    all_read(keys, "after a failover by hand")
    is_({call("SET", k, k, key=k).first for k in keys}, {"+OK"}, "writes too")

    # a primary dies
    victim = cluster.primary(slot_of(keys[1]))
    mine = [k for k in keys if cluster.primary(slot_of(k)) == victim]
    cluster.in_step(victim)
    cluster.kill(victim)
    rs = [call("GET", k, key=k) for k in mine]
    ok(all(a.rc in ("error", "refused declined") for a in rs), "calls to it fail")
    within(max(a.ms for a in rs), 100, "  and at once")
    cluster.took_over(victim)
    over = time.monotonic()
    ok(wait_until(lambda: all(call("GET", k, key=k).lines == [f"${k}"] for k in mine), 10),
       "its replica is found")
    within(ms_since(over), 2000, "  within 2 s of the take-over")
    all_read(keys, "everything is read")
    is_({call("SET", k, k, key=k).first for k in keys}, {"+OK"}, "and written")

    # it comes back as a replica, and one that stands still is found out too
    cluster.servers[victim].start()
    cluster.settle(20)
    victim = cluster.primary(slot_of(keys[1]))
    mine = [k for k in keys if cluster.primary(slot_of(k)) == victim]
    cluster.in_step(victim)
    cluster.servers[victim].stop()
    wait_until(lambda: cluster.has_none(victim), 10)
    over = time.monotonic()
    ok(wait_until(lambda: call("GET", mine[0], key=mine[0], timeout=50).lines
                  == [f"${mine[0]}"], 10), "a primary that hangs: its replica is found")
    within(ms_since(over), 2000, "  within 2 s of the take-over")
    cluster.servers[victim].go_on()
    cluster.settle(20)

    # all of them gone, then back
    for s in cluster.servers:
        s.kill()
    is_(call("GET", keys[0], key=keys[0]).rc in ("error", "refused declined"), True, "all gone")
    for s in cluster.servers:
        s.start()
    cluster.settle(20)
    back = time.monotonic()
    ok(wait_until(lambda: call("SET", keys[0], "1", key=keys[0]).lines == ["+OK"], 10),
       "all back")
    # the bar of 2 s is f14-cluster.t's, which knows what the machine took
    within(ms_since(back), 5000, "  and used again soon")
    at_most(len(p.log("slots of")), 10, "few lines in the log")
