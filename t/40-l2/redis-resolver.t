#!/usr/bin/env python3
"""A Redis by name: looked up again before each connection when http has a resolver."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
from probe import Dns, Fake, Probe

with scenario(60) as t:
    def fake(host, word, port=0):
        return t.keep(Fake(lambda s, cmd: b"+PONG\r\n" if cmd[0] == b"PING" else word, host=host,
                           port=port))

    first = fake("127.0.0.2", b"+first\r\n")
    second = fake("127.0.0.3", b"+second\r\n", first.port)
    dns = t.keep(Dns("127.0.0.2"))
    p = Probe(t, f"redis://localhost:{first.port} pool=1",
              http=f"resolver 127.0.0.1:{dns.port} valid=1s ipv6=off;")
    ok(p.up(), "up, where the resolver says")
    is_(p("GET", "k").lines, ["+first"], "not where /etc/hosts did")

    dns.address = "127.0.0.3"
    time.sleep(2.2)      # what nginx keeps for "valid" seconds
    first.drop()
    ok(wait_until(lambda: p("GET", "k").lines == ["+second"]), "it has moved: the new address")

    for address, what in ((None, "does not answer"), ("", "knows no such name")):
        dns.address = address
        time.sleep(2.2)      # what nginx keeps for "valid" seconds
        n, asked = second.connects, dns.asked
        second.drop()
        ok(wait_until(lambda: second.connects > n, 4), f"a resolver that {what}: the addresses there were")
        ok(wait_until(lambda: p("GET", "k").lines == ["+second"]), "... work")
        at_least(dns.asked - asked, 1, "... though it was asked")

    # while the name is looked up
    dns.address = None
    time.sleep(2.2)      # what nginx keeps for "valid" seconds
    second.drop()
    time.sleep(0.15)
    ok(p.ng.stop(), "a stop meanwhile")

    # without a resolver: as resolved at the start
    here = fake("127.0.0.1", b"+here\r\n", first.port)
    q = Probe(t, f"redis://localhost:{first.port} pool=1")
    ok(wait_until(lambda: q("GET", "k").lines == ["+here"]), "without a resolver: as nginx found it")
