#!/usr/bin/env python3
"""Channels: ready before messages, joined and left at any moment, again after a lost connection."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
from probe import Probe
from redis_server import Server

with scenario(90) as t:
    server = t.keep(Server())
    p = Probe(t, server.url)
    ok(p.up(2), "no connection for channels yet")
    is_(server("CLIENT", "LIST").count(b"name=strata"), 2, "two connections")

    def listen(channel, n=1):
        return in_thread(lambda: p.get(sub=channel, n=n).body.decode())

    def listeners(channel):
        return server("PUBSUB", "NUMSUB", channel)[1]

    box = listen("a")
    ok(wait_until(lambda: listeners("a") == 1), "one subscription")
    is_(server("CLIENT", "LIST").count(b"name=strata"), 3, "on a connection of its own")
    server("PUBLISH", "a", "hello")
    is_(box.join(), "ready\nmessage hello\n", "ready, then the message")
    ok(wait_until(lambda: listeners("a") == 0), "and left")

    boxes = [listen("a", 2) for _ in range(50)] + [listen(f"b{i}") for i in range(50)]
    ok(wait_until(lambda: listeners("a") == 1 and listeners("b49") == 1), "50 of one, 50 of others")
    wait_until(lambda: len(server("PUBSUB", "CHANNELS")) == 51)
    time.sleep(0.2)
    server("PUBLISH", "a", "one")
    server("PUBLISH", "a", b"two\0")
    for i in range(50):
        server("PUBLISH", f"b{i}", i)
    got = [b.join() for b in boxes]
    is_(set(got[:50]), {"ready\nmessage one\nmessage two\0\n"}, "all of one hear both")
    is_(got[50:], [f"ready\nmessage {i}\n" for i in range(50)], "each of the others hears its own")
    ok(wait_until(lambda: not server("PUBSUB", "CHANNELS")), "all left")

    # joined while others are there, joined and left before it stands
    first = listen("a")
    wait_until(lambda: listeners("a") == 1)
    second = listen("a")
    time.sleep(0.1)
    server("PUBLISH", "a", "x")
    is_((first.join(), second.join()), ("ready\nmessage x\n",) * 2, "a late one is ready too")
    server.stop()
    conns = [p.ng.conn() for _ in range(20)]
    for c in conns:
        c.send(b"GET /r?sub=c HTTP/1.1\r\nHost: x\r\n\r\n")
    time.sleep(0.1)
    for c in conns:
        c.close()
    server.go_on()
    ok(wait_until(lambda: p("PING").rc == "ok" and listeners("c") in (0, 1)), "clients that left")
    box = listen("c")
    ok(wait_until(lambda: listeners("c") == 1), "the next one")
    time.sleep(0.1)
    server("PUBLISH", "c", "y")
    is_(box.join(), "ready\nmessage y\n", "hears what comes")

    # a lost connection: ready again
    box = listen("d", 2)
    wait_until(lambda: listeners("d") == 1)
    server("PUBLISH", "d", "before")
    server("CLIENT", "KILL", "TYPE", "pubsub")
    ok(wait_until(lambda: listeners("d") == 1), "subscribed again")
    time.sleep(0.1)
    server("PUBLISH", "d", "after")
    is_(box.join(), "ready\nmessage before\nready\nmessage after\n", "and told so")
    box = listen("e", 2)
    wait_until(lambda: listeners("e") == 1)
    server("PUBLISH", "e", "before")
    time.sleep(0.1)
    server.kill()
    time.sleep(0.5)
    server.start()
    ok(wait_until(lambda: listeners("e") == 1, 4), "also after a restart")
    time.sleep(0.1)
    server("PUBLISH", "e", "after")
    is_(box.join(), "ready\nmessage before\nready\nmessage after\n", "and told so")

    big = "m" * 65536
    box = listen("f")
    wait_until(lambda: listeners("f") == 1)
    server("PUBLISH", "f", big)
    is_(len(box.join()), len(f"ready\nmessage {big}\n"), "a message of 64 KB")
    box = listen("f")
    wait_until(lambda: listeners("f") == 1)
    server("PUBLISH", "f", big + "m")
    ok(wait_until(lambda: p.log("a string is too long") or listeners("f") == 0), "one byte more ends the connection")
    wait_until(lambda: listeners("f") == 1)
    time.sleep(0.1)
    server("PUBLISH", "f", "z")
    is_(box.join(), "ready\nready\nmessage z\n", "which comes back")

    # a reload with subscribers
    box = listen("g")
    wait_until(lambda: listeners("g") == 1)
    p.ng.reload(wait=False)
    time.sleep(0.5)
    server("PUBLISH", "g", "z")
    is_(box.join(), "ready\nmessage z\n", "a worker that stops goes on listening")
    ok(wait_until(lambda: len(p.ng.children()) == 1), "and ends then")
