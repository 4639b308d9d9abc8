#!/usr/bin/env python3
"""Clusters that lie: maps of nonsense, redirects without end.  A call fails, no more."""
import os, pathlib, random, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
from probe import Fake, Probe, Stall
from redis_server import resp

TIMEOUT_MS = 200


def whole(*ports):
    """A map in which these share the slots."""
    n = len(ports)
    return [[16384 * i // n, 16384 * (i + 1) // n - 1, ["127.0.0.1", p, "id"]]
            for i, p in enumerate(ports)]


def fds(probe):
    return len(os.listdir(f"/proc/{probe.ng.workers()[0]}/fd"))


class Peer(Fake):
    """One of a cluster: cluster() gives its map, said(command) its other answers."""

    def __init__(self, cluster, said=lambda command: b"$-1\r\n"):
        self.cluster, self.said = cluster, said
        super().__init__(lambda _, command: self.cluster() if command[0] == b"CLUSTER"
                         else b"+OK\r\n" if command[0] == b"ASKING" else self.said(command))

    def count(self, word):
        return sum(c[0] == word for c in list(self.commands))


def asked(peer, n=1):
    """Waits until the map was asked for n times more."""
    before = peer.count(b"CLUSTER")
    return wait_until(lambda: peer.count(b"CLUSTER") >= before + n, 5, 0.02)


with scenario(180) as t:

    # maps

    value = None
    peer = t.keep(Peer(lambda: value))
    mine = peer.port
    one = ["127.0.0.1", mine, "id"]
    maps = {
        "no cluster": RuntimeError("ERR This instance has cluster support disabled"),
        "not allowed": RuntimeError("NOPERM this user has no permissions to run 'cluster|slots'"),
        "nothing": [], "null": None, "a number": 7, "a string": "x" * 5000,
        "a flat list": [0, 16383, "127.0.0.1", mine],
        "no server": [[0, 16383]],
        "no port": [[0, 16383, ["127.0.0.1"]]],
        "port 0": [[0, 16383, ["127.0.0.1", 0, "id"]]],
        "port 65536": [[0, 16383, ["127.0.0.1", 65536, "id"]]],
        "port as text": [[0, 16383, ["127.0.0.1", str(mine), "id"]]],
        "slot 16384": [[0, 16384, one]],
        "slot -1": [[-1, 16383, one]],
        "slot 2^63": [[0, 2 ** 63 - 1, one]],
        "backwards": [[16383, 0, one]],
        "a slot twice": [[0, 9000, one], [9000, 16383, one]],
        "a control character": [[0, 16383, ["127.0.0.1\r\nX: y", mine, "id"]]],
        "a format": [[0, 16383, ["%s%n%V", mine, "id"]]],
        "a long host": [[0, 16383, ["h" * 256, mine, "id"]]],
        "a name, and no resolver": [[0, 16383, ["no-such-host.invalid", mine, "id"]]],
        "1025 servers": [[i, i, [f"10.9.{i >> 8}.{i & 255}", 6379, "id"]]
                         for i in range(1025)],
        "17000 ranges": [[i % 16384, i % 16384, one] for i in range(17000)],
        "very deep": [[[[[[[[[1]]]]]]]]],
        "100000 replicas": [[0, 16383, one] + [["127.0.0.1", 1, "id"]] * 100000],
    }
    raw = {"cut short": b"*1\r\n*3\r\n:0\r\n", "no end": b"*1\r\n$100000\r\nxx",
           "2^31 elements": b"*2147483647\r\n", "2^31 deep down": b"*1\r\n*2147483647\r\n",
           "a long line": b"+" + b"x" * 100000, "RESP3": b"%1\r\n+a\r\n:1\r\n",
           "no protocol at all": b"HTTP/1.1 200 OK\r\n\r\n", "binary": bytes(range(256)) * 4}

    value = resp(whole(mine))
    p = Probe(t, f"{peer.url} mode=cluster pool=1 reconnect=20ms,50ms")
    p.up()
    idle = fds(p)
    with Stall(p.ng) as stall:
        for name, reply in [(n, resp(v)) for n, v in maps.items()] + list(raw.items()):
            value = reply
            peer.drop()                    # so that it is asked again
            asked(peer)
            a = p("GET", "a", key="a", timeout=TIMEOUT_MS)
            case(a.rc in ("ok", "error", "timeout", "declined", "refused declined")
                 and a.ms < (TIMEOUT_MS + 100) * tap.SLOW, f"map: {name} ({a.rc})")
    within(stall.worst, 100, "no map stopped the worker for long")
    unlike("\n".join(p.log()), r"X: y|\x00", "what is logged is printable")
    value = resp(whole(mine))
    ok(wait_until(lambda: p("GET", "a", key="a").lines == ["nil"], 5), "a good map is used")

    # a map that is another one each time, of servers that are not there
    value = resp([])
    peer.cluster = lambda: resp(whole(*random.sample(range(2, 1000), 20)))
    peer.drop()
    for i in range(6):
        asked(peer)
        case(p("GET", "a", key="a", timeout=TIMEOUT_MS).ms < (TIMEOUT_MS + 100) * tap.SLOW,
             f"map: another one each time, {i}")
    at_most(fds(p) - idle, 50, "descriptors stay few")
    peer.cluster = lambda: resp(whole(mine))
    ok(wait_until(lambda: p("GET", "a", key="a").lines == ["nil"], 10), "a good map again")

    began, before = time.monotonic(), peer.count(b"CLUSTER")
    peer.said = lambda command: resp(RuntimeError(f"MOVED 15495 127.0.0.1:{mine}"))
    while time.monotonic() < began + 3:
        p("GET", "a", key="a", timeout=TIMEOUT_MS)
    at_most(peer.count(b"CLUSTER") - before, 8, "twice a second is most")
    peer.said = lambda command: b"$-1\r\n"
    p.ng.stop()

    # redirects

    def pair(make):
        """Two servers that answer GET with what make(which, ports) says."""
        peers = []
        for i in 0, 1:
            peers.append(t.keep(Peer(
                lambda: resp(whole(peers[0].port, peers[1].port)),
                lambda command, i=i: resp(RuntimeError(make(i, [x.port for x in peers]))))))
        return peers

    redirects = {
        "MOVED to itself": lambda i, p: f"MOVED 1 127.0.0.1:{p[i]}",
        "MOVED to and fro": lambda i, p: f"MOVED 15495 127.0.0.1:{p[1 - i]}",
        "MOVED to an empty host": lambda i, p: f"MOVED 15495 :{p[1 - i]}",
        "MOVED to nowhere": lambda i, p: "MOVED 15495 127.0.0.1:1",
        "MOVED anywhere": lambda i, p: f"MOVED 15495 127.0.0.1:{random.randrange(2, 60000)}",
        "MOVED to a name": lambda i, p: "MOVED 15495 no-such-host.invalid:6379",
        "MOVED to a question mark": lambda i, p: "MOVED 15495 ?",
        "MOVED to a format": lambda i, p: "MOVED 15495 %s%n%V:6379",
        "MOVED slot 99999": lambda i, p: f"MOVED 99999 127.0.0.1:{p[i]}",
        "MOVED alone": lambda i, p: "MOVED",
        "MOVED very long": lambda i, p: "MOVED 1 " + "h" * 3000 + ":1",
        "ASK to itself": lambda i, p: f"ASK 15495 127.0.0.1:{p[i]}",
        "ASK to and fro": lambda i, p: f"ASK 15495 127.0.0.1:{p[1 - i]}",
        "ASK to nowhere": lambda i, p: "ASK 15495 127.0.0.1:1",
        "ASK anywhere": lambda i, p: f"ASK 15495 127.0.0.1:{random.randrange(2, 60000)}",
        "TRYAGAIN": lambda i, p: "TRYAGAIN later",
        "CLUSTERDOWN": lambda i, p: "CLUSTERDOWN The cluster is down",
        "all of them": lambda i, p: random.choice([
            f"MOVED 1 127.0.0.1:{p[1 - i]}", f"ASK 1 127.0.0.1:{p[1 - i]}", "TRYAGAIN",
            "CLUSTERDOWN", "MOVED 1 127.0.0.1:1"]),
    }
    def ended(a):
        """Is it an end that a call may have, in time?"""
        return (a.rc in ("ok", "error", "timeout", "declined", "refused declined")
                and "INSIDE" not in a.text and a.ms < (TIMEOUT_MS + 100) * tap.SLOW)

    for name, make in redirects.items():
        peers = pair(make)
        p = Probe(t, f"{peers[0].url} {peers[1].url} mode=cluster pool=1", status=False)
        p.up(2)
        idle = fds(p)
        rs = [p("GET", "a", key="a", timeout=TIMEOUT_MS) for _ in range(12)]
        cases([f"{a.rc} {a.ms:.0f} ms {a.text[:100]}" for a in rs if not ended(a)], len(rs),
              f"{name}: calls end, {rs[0].rc} {(rs[0].first or '')[:40]}")
        gets = sum(x.count(b"GET") for x in peers)
        case(gets <= 12 * 6, f"{name}: sent six times each at most ({gets})")
        many = p("GET", "a", key="a", timeout=TIMEOUT_MS, times=500)
        case(many.ms < (TIMEOUT_MS + 400) * tap.SLOW,
             f"{name}: so do 500 at once, {many.text.strip()}")
        case(fds(p) < idle + 20, f"{name}: descriptors stay few ({fds(p) - idle} more)")
        a = p("GET", "a", key="a", timeout=TIMEOUT_MS, cancel=7)
        case("INSIDE" not in a.text, f"{name}: cancelled meanwhile, {a.text.split()[0]}")
        p.ng.stop()
