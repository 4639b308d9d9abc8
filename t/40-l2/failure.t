#!/usr/bin/env python3
"""Redis away, hung, slow, full, read-only, loading, locked: a slower miss, nothing else."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
import l2

with scenario(150, alone=True) as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        return Reply(b"hello", cc="max-age=60")

    redis = l2.server(t, "--enable-debug-command", "local",
                      "--loading-process-events-interval-bytes", 1024)
    redis.kill()
    a, = l2.gateways(t, origin, redis.url, "strata_l2_timeout 20ms;", n=1)
    a.allowed.append("strata")
    seq = iter(range(1000000))

    def cold(k, what, most=None):
        """k misses one after the other; the slowest in ms."""
        bad, worst = [], 0
        for _ in range(k):
            start = time.monotonic()
            r = a.get(f"/{next(seq)}")
            worst = max(worst, ms_since(start))
            if r.status != 200 or r.body != b"hello":
                bad.append((r.status, r.error))
        is_(bad, [], f"{what}: {k} misses are answered")
        if most:
            within(worst, most, f"{what}: none waits long")
        return worst

    def hits(what):
        is_({a.get("/warm").status for _ in range(20)}, {200}, f"{what}: hits go on")

    def back(what, seconds=3):
        """L2 is used again."""
        def used():
            path = f"/{next(seq)}"
            stores = a.count("l2_stores")
            a.get(path)
            return tap.wait_until(lambda: a.count("l2_stores") > stores, 0.1)
        start = time.monotonic()
        ok(tap.wait_until(used, seconds, 0.05), f"{what}: L2 is used again")
        return ms_since(start)

    a.get("/warm")
    cold(50, "down at start", 60)
    is_(a.log(r"\[(error|alert|crit)\]"), [], "down at start: no errors")
    redis.start()
    within(back("down at start"), 2000, "down at start: soon after Redis is there")

    for i in range(3):
        redis.kill()
        cold(30, f"killed {i}", 60)
        hits(f"killed {i}")
        redis.start()
        within(back(f"killed {i}"), 2000, f"killed {i}: recovery")

    redis.stop()
    cold(60, "hung", 20 + 20 + 40)
    hits("hung")
    redis.go_on()
    within(back("hung"), 3000, "hung: recovery")

    c = redis.client(20)
    c.send("DEBUG", "SLEEP", "2")
    cold(40, "asleep", 20 + 20 + 40)
    c.read(), c.close()
    within(back("asleep"), 3000, "asleep: recovery")

    # one after the other, some full of what Redis says then
    def says(what, *commands, undo=(), purge=503):
        for x in commands:
            redis(*x)
        cold(20, what, 80)
        hits(what)
        time.sleep(0.1)
        is_(a.request("/warm2", "PURGE").status, purge, f"{what}: a purge is {purge}")
        for x in undo:
            redis(*x)
        back(what, 5)

    a.write(location="strata_l2 r; strata_l2_timeout 20ms; strata_purge on;")
    a.reload()
    l2.ready(a)
    a.get("/warm")
    says("full", ("CONFIG", "SET", "maxmemory", "1mb"),
         undo=[("CONFIG", "SET", "maxmemory", "0")])
    says("read-only", ("REPLICAOF", "127.0.0.1", 1), undo=[("REPLICAOF", "NO", "ONE")])
    says("too few replicas", ("CONFIG", "SET", "min-replicas-to-write", "1"),
         undo=[("CONFIG", "SET", "min-replicas-to-write", "0")])
    says("no script", ("SCRIPT", "FLUSH"), purge=404)

    # says LOADING, then BUSY
    for i in range(1500):
        redis("SET", f"other{i}", "x" * 100)
    redis("CONFIG", "SET", "key-load-delay", 1000)
    c = redis.client(30)
    c.send("DEBUG", "RELOAD")
    time.sleep(0.2)
    cold(20, "loading", 80)
    hits("loading")
    is_(c.read(), b"OK", "loading: it was all the time")
    redis("CONFIG", "SET", "key-load-delay", 0)
    within(back("loading", 5), 3000, "loading: recovery")

    redis("CONFIG", "SET", "busy-reply-threshold", 10)
    c.send("EVAL", "while true do end", 0)
    time.sleep(0.1)
    cold(20, "busy", 80)
    hits("busy")
    redis("SCRIPT", "KILL")
    with contextlib.suppress(RuntimeError):
        c.read()
    c.close()
    within(back("busy", 5), 3000, "busy: recovery")

    redis("CONFIG", "SET", "requirepass", "x")
    redis("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    cold(20, "locked", 80)
    hits("locked")
    redis("CONFIG", "SET", "requirepass", "")
    back("locked", 8)
    is_([x for x in a.log("password") if "requirepass" in x], [], "locked: no secrets in the log")

    stop = threading.Event()
    errors = []

    def load():
        while not stop.is_set():
            r = a.get(f"/{next(seq)}")
            if r.status != 200:
                errors.append(r.status or r.error)

    threads = [in_thread(load) for _ in range(8)]
    for i in range(4):
        redis.kill()
        time.sleep(0.3)
        redis.start()
        time.sleep(0.3)
        redis.stop()
        time.sleep(0.3)
        redis.go_on()
        time.sleep(0.2)
    stop.set()
    [x.join() for x in threads]
    is_(errors, [], "killed and stopped under load: no error")
