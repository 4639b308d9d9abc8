#!/usr/bin/env python3
"""strata_redis: calls and their replies, over TCP, a socket and TLS; log-in, database, caps."""
import pathlib, sys, zlib
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
from probe import Probe
from redis_server import Certificates, Server

with scenario(120) as t:
    server = t.keep(Server())
    tls = t.keep(Certificates())
    safe = t.keep(Server(tls=tls, password="s3cret"))
    safe("ACL", "SETUSER", "joe", "on", ">pa:ss@wd", "~*", "+@all")
    tls.sign("client", "client")

    # no bar is about time here: a machine full of tests may be slow
    patient = "timeout=5s connect_timeout=5s"
    p = Probe(t, f"{server.url} {patient}", http=f"""
        strata_redis sock {server.socket}:3 {patient};
        strata_redis tls rediss://joe:pa%3Ass%40wd@{safe.address}/2 ca={tls.path('ca.pem')}
                     cert={tls.path('client.pem')} key={tls.path('client.key')} {patient};
        strata_redis file rediss://{safe.address} ca={tls.path('ca.pem')} password_file=pass
                     {patient};
        strata_redis untrusted rediss://:s3cret@{safe.address} {patient};
        strata_redis other rediss://:s3cret@{safe.address} ca={tls.path('ca.pem')}
                     server_name=other.example {patient};
        strata_redis blind rediss://:s3cret@{safe.address} verify=off server_name=other.example
                     {patient};
        strata_redis name redis://localhost:{server.port} {patient};
        """, location="".join(f"location = /{n} {{ strata_probe {n}; }}" for n in
                              ("sock", "tls", "file", "untrusted", "other", "blind", "name")),
        start=False)
    p.ng.file("pass", "s3cret\nnot this\n")
    p.ng.start()
    ok(p.up(2), "both connections stand")

    a = p("SET", "k", "v")
    is_((a.rc, a.lines), ("ok", ["+OK"]), "a status")
    is_(p("GET", "k").lines, ["$v"], "a string")
    is_(p("GET", "none").lines, ["nil"], "nil")
    is_(p("INCR", "n").lines, [":1"], "a number")
    is_(p("INCR", "k").first[:5], "-ERR ", "an error")
    is_(p("MGET", "k", "none", "n").lines, ["*3", "$v", "nil", "$1"], "an array")
    a = p("EVAL", "return {{1,{}},{redis.error_reply('E x'),redis.status_reply('fine')}}", 0)
    is_(a.lines, ["*2", "*2", ":1", "*0", "*2", "-E x", "+fine"], "arrays in arrays")
    raw = bytes(range(256)) * 3
    is_(p("SET", b"bin\0\r\n", raw).lines, ["+OK"], "any bytes")
    is_(server("GET", b"bin\0\r\n"), raw, "... as they are")
    a = p("GET", b"bin\0\r\n", short=1)
    is_(a.lines, [f"${len(raw)} {zlib.crc32(raw):08x}"], "... and back")
    a = p(cmds=[("GET", "k"), ("PTTL", "k"), ("GET", "none"), ("TYPE", "k")])
    is_((a.text.split("\n")[0], a.lines), ("ok 4", ["$v", ":-1", "nil", "+string"]),
        "four commands, one call")
    is_(p("GET", "k").text.count("INSIDE"), 0, "a handler never runs inside of a call")

    for size in (1, 4000, 4096, 4097, 5000, 16384, 70000, 300000, 1000000, 4000000):
        is_(p("SET", "big", size=size, timeout=5000).lines, ["+OK"], f"{size} bytes out")
        a = p("GET", "big", short=1, max=size, timeout=5000)
        is_(a.lines, [f"${size} {zlib.crc32(b'x' * size):08x}"], f"{size} bytes in")
    a = p("GET", "big", max=3999999, timeout=5000)
    is_(a.rc, "error", "one byte over the limit of the call ends the connection")
    is_(len(p.log("a connection to .* ended, bad reply: a string is too long")), 1, "and says why")
    ok(p.up(2), "which comes back")

    # many at once are one write each way
    server("CONFIG", "RESETSTAT")
    a = p("GET", "k", times=500)
    is_(a.text, "ok 500 error 0 timeout 0 busy 0 declined 0\n", "500 calls at once")
    info = server.info("INFO", "stats")
    at_most(int(info["total_reads_processed"]), 30, "reads that Redis needed for 500 calls")

    # log-in
    ok(wait_until(lambda: server("CLIENT", "LIST").count(b"name=strata") == 6),
       "connections have a name")
    is_(p("SET", "k", "three", path="/sock").lines, ["+OK"], "a socket")
    server("SELECT", 3); is_(server("GET", "k"), b"three", "... and its database"); server("SELECT", 0)
    is_(server("GET", "k"), b"v", "no other")
    ok(wait_until(lambda: p.stat("/tls")["connections"] == 2), "TLS: name, password, our certificate")
    is_(p("ACL", "WHOAMI", path="/tls").lines, ["$joe"], "as the user of the URL")
    is_(p("SET", "k", "two", path="/tls").lines, ["+OK"], "a command")
    safe("SELECT", 2); is_(safe("GET", "k"), b"two", "in its database"); safe("SELECT", 0)
    is_(p("SET", "big", path="/tls", size=2000000, timeout=5000).lines, ["+OK"], "TLS: 2 MB out")
    is_(p("GET", "big", path="/tls", short=1, max=2000000, timeout=5000).lines,
        [f"$2000000 {zlib.crc32(b'x' * 2000000):08x}"], "and in")
    is_(p("GET", "k", path="/tls", times=300).text[:7], "ok 300 ", "300 at once")
    ok(wait_until(lambda: p.stat("/file")["connections"] == 2), "password_file, relative to the prefix")
    is_(p("PING", path="/file").lines, ["+PONG"], "works")
    for path, text, name in (
            ("/untrusted", "certificate is not trusted", "an unknown authority"),
            ("/other", 'its certificate is not for "other.example"', "another name")):
        ok(wait_until(lambda: p.log(text)), f"{name}: the log says so")
        is_(p("PING", path=path).rc, "refused declined", f"{name} is refused")
        is_(len(p.log(text)), 1, f"{name}: one line in the log")
    ok(wait_until(lambda: p.stat("/blind")["connections"]), "verify=off: a connection")
    is_(p("PING", path="/blind").lines, ["+PONG"], "verify=off")
    ok(wait_until(lambda: p.stat("/name")["connections"] == 2), "a name")

    # caps
    def full(pattern, name, **args):
        """Many calls of a server that does not answer."""
        server.stop()
        like(p("SET", "c", timeout=300, **args).text, pattern, name)
        server.go_on()
        ok(wait_until(lambda: p("GET", "k").lines == ["$v"]), "... and then all is well again")
        ok(p.up(2), "... on two connections")

    full("ok 0 error 0 timeout 2 busy 2 declined 0", "1 MB per connection, then busy",
         size=600000, times=4)
    full("ok 0 error 0 timeout 12 busy 8 declined 0", "urgent: 4 MB", size=600000, times=20,
         urgent=1)
    full("ok 0 error 0 timeout 8192 busy 0 declined 0", "4096 calls", size=1, times=8192)
    full("ok 0 error 0 timeout 2 busy 1 declined 0", "one over the cap goes alone", size=1200000,
         times=3)

    unlike(p.ng.log(), "s3cret|pa:ss|pa%3Ass", "no password in the log")
