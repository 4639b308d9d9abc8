#!/usr/bin/env python3
"""F-01 to F-06, F-11 to F-13, F-19: a Redis that is away, hangs, is slow, refuses or forgets."""
import pathlib, re, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
from probe import Fake, Probe, Stall
from redis_server import Server


def until(condition, seconds=3):
    """Milliseconds until it is true, None: never."""
    start = time.monotonic()
    return ms_since(start) if wait_until(condition, seconds, 0.01) else None


with scenario(180, alone=True) as t:
    # F-01: away at the start
    server = t.keep(Server(start=False))
    p = Probe(t, f"{server.url} timeout=50ms")
    ng = p.ng
    is_(p("PING").rc, "refused declined", "F-01: nginx starts without Redis, calls are refused")
    time.sleep(0.8)
    is_(len(p.log("is down")), 1, "F-01: one line in the log")
    like(p.log("is down")[0], r'"127.0.0.1:\d+" is down, connect\(\) failed \(111: Connection refused\), instance: "r"',
         "F-01: with the reason")
    server.start()
    within(until(lambda: p("PING").rc == "ok"), 1000, "F-01: in use after it appeared")
    is_((len(p.log("is down")), len(p.log("is up"))), (1, 1), "F-01: and one line more")
    ok(p.up(2), "F-01: both connections")

    # F-02: dies, with calls under way
    box = in_thread(lambda: p("BLPOP", "nothing", 0, timeout=20000))
    wait_until(lambda: p.stat()["in_flight"])
    server.kill()
    killed = time.monotonic()
    is_(box.join().rc, "error", "F-02: what is under way ends")
    within(ms_since(killed), 60, "F-02: at once")
    is_(p("PING").rc, "refused declined", "F-02: what comes is refused")
    server.start()
    within(until(lambda: p("PING").rc == "ok"), 1000, "F-02: back")
    is_((len(p.log("is down")), len(p.log("is up"))), (2, 2), "F-02: two lines")
    ok(p.up(2), "F-02: both connections")

    # F-03: hangs
    server("SET", "k", "v")
    server.stop()
    rs = [p("GET", "k", timeout=50) for _ in range(3)]
    is_({r.rc for r in rs}, {"timeout"}, "F-03: who waits goes on at his deadline")
    within(max(r.ms for r in rs), 75, "F-03: which is kept", 25)
    rs = [p("GET", "k", timeout=50) for _ in range(3)]
    is_([r.rc for r in rs], ["timeout", "timeout", "refused declined"], "F-03: then nobody waits")
    is_(len(p.log("is not asked for a while, calls fail .timeout.")), 1, "F-03: one line")
    with Stall(ng) as stall:
        time.sleep(2)
    within(stall.worst, 20, "F-03: the worker goes on")
    within(stall.wall, 500, "F-03: all the time")
    server.go_on()
    within(until(lambda: p("GET", "k").lines == ["$v"]), 2000, "F-03: back")
    at_most(len(p.log("strata redis")), 14, "F-03: lines in the log for 2 s")

    # three in a row on one connection
    one = Probe(t, f"{server.url} pool=1")
    one.up()
    server.stop()
    rs = [one("GET", "k", timeout=50).rc for _ in range(3)]
    is_(rs, ["timeout"] * 3, "three deadlines")
    ok(wait_until(lambda: one.stat()["connections"] == 0, 0.2), "close the connection")
    like(one.log("is down")[0], "3 timeouts in a row", "and the log says so")
    server.go_on()
    within(until(lambda: one("GET", "k").rc == "ok"), 1600, "back")
    a = one("GET", "k", times=50)
    is_(a.text[:6], "ok 50 ", "as before")

    # F-05, F-06: slow
    def slow(s, cmd):
        if cmd[0] == b"TRICKLE":
            for b in b"$5\r\nhello\r\n":
                time.sleep(0.1)
                s.sendall(bytes([b]))
            return None
        time.sleep(0.08)
        return b"+LATE-" + cmd[1] + b"\r\n" if len(cmd) > 1 else b"+PONG\r\n"

    fake = t.keep(Fake(slow))
    lazy = Probe(t, f"{fake.url} pool=1 timeout=50ms")
    lazy.up()
    rs = [lazy("X", i, timeout=50) for i in range(2)]
    is_([r.rc for r in rs], ["timeout"] * 2, "F-05: late answers")
    time.sleep(0.3)
    is_(lazy("X", 3, timeout=500).lines, ["+LATE-3"], "F-05: never reach another call")
    a = lazy("TRICKLE", timeout=300)
    is_(a.rc, "timeout", "F-06: a byte now and then does not prolong a deadline")
    within(a.ms, 330, "F-06: which is kept", 30)
    time.sleep(1.2)
    a = lazy("TRICKLE", timeout=5000)
    is_((a.rc, a.lines), ("ok", ["$hello"]), "F-06: nor does it break anything")
    fake.login = False
    ok(wait_until(lambda: lazy("X", 1, timeout=40) and lazy.log("calls fail .timeout.")),
       "F-05: five in a row, and it is not asked")
    time.sleep(1.5)
    is_(lazy("X", 1).rc, "refused declined", "F-05: while its PING takes too long")
    fake.login = True
    fake.script = lambda s, cmd: b"+QUICK\r\n"
    # a pause of the breaker is a second; a PONG that was late costs a tenth of it
    within(until(lambda: lazy("X", 1).lines == ["+QUICK"]), 500, "F-05: back")

    # the same when it is a new connection that was slow to greet
    fake.script, fake.login = slow, False
    ok(wait_until(lambda: lazy("X", 1, timeout=40) and lazy.stat()["breaker"] == 1),
       "F-05: not asked again")
    fake.drop()
    wait_until(lambda: lazy.stat()["connections"] == 0)
    ok(wait_until(lambda: lazy.stat()["connections"] == 1), "F-05: a new connection, slow")
    isnt(lazy.stat()["breaker"], 0, "F-05: not asked yet")
    fake.script, fake.login = (lambda s, cmd: b"+QUICK\r\n"), True
    within(until(lambda: lazy("X", 1).lines == ["+QUICK"]), 500, "F-05: back")

    # cancelled calls
    fake.script = slow
    rs = [lazy("X", i, cancel=10, timeout=1000) for i in range(5)]
    is_({r.text for r in rs}, {"cancelled 1\n"}, "cancelled")
    is_(lazy("X", 77, timeout=2000).lines, ["+LATE-77"], "what still comes is dropped in its place")

    # F-11: words of a server that can't, or won't
    for word, counts in (("LOADING Redis is loading", True), ("BUSY script", True),
                         ("MASTERDOWN Link down", True), ("MISCONF disk", False),
                         ("NOREPLICAS few", False), ("OOM command", False),
                         ("READONLY replica", False), ("TRYAGAIN", False), ("ERR x", False)):
        fake.script = lambda s, cmd: b"+PONG\r\n" if cmd[0] == b"PING" else f"-{word}\r\n".encode()
        rs = [lazy("X").text for _ in range(6)]
        is_(rs[0], f"ok 1\n-{word}\n", f"F-11: {word} is passed on")
        is_(rs[5], "refused declined\n" if counts else rs[0],
            f"F-11: {word} {'counts as a failure' if counts else 'is an answer'}")
        wait_until(lambda: lazy.stat()["breaker"] == 0)
    ok(lazy.log("calls fail .LOADING."), "F-11: the word is in the log")

    fake.drop()
    fake.login = False
    fake.script = lambda s, cmd: b"-LOADING Redis is loading the dataset in memory\r\n"
    ok(wait_until(lambda: lazy.log('is down, PING was answered "LOADING Redis is loading')),
       "F-11: loading at the start")
    fake.login = True
    within(until(lambda: lazy.stat()["connections"] == 1), 1100, "F-11: loaded")

    # F-12: log-in refused
    server("CONFIG", "SET", "requirepass", "s3cret")
    server("CONFIG", "SET", "maxclients", "10000")
    server.password = "s3cret"
    server._drop()
    is_(p("PING").rc, "ok", "F-12: open connections stay logged in")
    server("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    ok(wait_until(lambda: p.log("is down, .*NOAUTH")), "F-12: new ones don't")
    is_(p("PING").rc, "refused declined", "F-12: calls are refused")
    n = int(server.info()["total_connections_received"])
    time.sleep(2)
    at_most(int(server.info()["total_connections_received"]) - n, 2, "F-12: attempts in 2 s")
    is_(len(p.log("is down, .*NOAUTH")), 1, "F-12: one line")
    ok(p.log(r"\[error\].*NOAUTH"), "F-12: an error")
    server("CONFIG", "SET", "requirepass", "")
    server.password = None
    ok(wait_until(lambda: p("PING").rc == "ok", 7), "F-12: let in again")

    server("CONFIG", "SET", "requirepass", "s3cret")
    server.password = "s3cret"
    wrong = Probe(t, f"redis://:wr0ng@127.0.0.1:{server.port}")
    ok(wait_until(lambda: wrong.log('is down, AUTH was answered "WRONGPASS"')), "F-12: WRONGPASS")
    unlike(wrong.ng.log(), "wr0ng", "F-12: no password in the log")
    server("CONFIG", "SET", "requirepass", "")
    server.password = None

    # F-19: no more clients
    ok(wait_until(lambda: p("PING").rc == "ok" and one("PING").rc == "ok", 8), "both are there")
    server("CONFIG", "SET", "maxclients", 1)
    n = int(server.info()["rejected_connections"])
    server("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    time.sleep(1.5)
    at_most(int(server.info()["rejected_connections"]) - n, 2 * 10 * 3, "F-19: attempts of 3 workers in 1.5 s")
    ok(p.log("is down, ERR max number of clients"), "F-19: the log says why")
    server("CONFIG", "SET", "maxclients", 10000)
    within(until(lambda: p("PING").rc == "ok"), 1100, "F-19: back")

    # F-13: scripts are forgotten
    source = (ROOT / "src/redis/strata_script.c").read_text()
    sha = re.search(r'"([0-9a-f]{40})"', source)[1]
    ok(p.up(2), "two connections")
    server("CONFIG", "RESETSTAT")
    server("SCRIPT", "FLUSH")
    a = p("EVALSHA", sha, 0, times=200)
    is_(a.text[:7], "ok 200 ", "F-13: 200 at once after SCRIPT FLUSH")
    is_(re.findall(rb"script\|load:calls=(\d+)", server("INFO", "commandstats")), [b"2"], "F-13: the script is loaded once per connection")
    is_(p.stat()["loads"], 2, "F-13: and counted")
    unlike(p("EVALSHA", sha, 0).text, "NOSCRIPT", "F-13: nobody sees NOSCRIPT")
    like(p("EVALSHA", "0" * 40, 0).text, "NOSCRIPT", "F-13: but for scripts that are not ours")
    server("SCRIPT", "FLUSH")
    unlike(p("EVALSHA", sha, 0).text, "NOSCRIPT", "F-13: again")
