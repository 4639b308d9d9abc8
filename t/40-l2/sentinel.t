#!/usr/bin/env python3
"""Sentinel: the master is found, and found again (F-09, F-10); sentinels that lie."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
from probe import Fake, Probe
from redis_sentinel import Group
from redis_server import Server, resp

OK = ["+OK"]

with scenario(150) as t:
    group = t.keep(Group(password="s3cret"))
    urls = " ".join(f"redis://:s3cret@{s.address}/3" for s in group.sentinels)
    p = Probe(t, f"{urls} mode=sentinel master={group.name}")
    serial = iter(range(10 ** 6))

    def back(name, bar_ms=2000):
        began = time.monotonic()
        ok(wait_until(lambda: p("SET", "a", next(serial)).lines == OK, 10), name)
        within(ms_since(began), bar_ms, "  soon")

    back("the master is found")
    with group.master.client() as c:
        c("SELECT", 3)
        isnt(c("GET", "a"), None, "log-in and database are for the master")
    is_(p("ROLE").lines[1], "$master", "it is the master")
    like("\n".join(p.log("is 127")), f'master "{group.name}" of "r" is {group.master.address}',
         "which the log says")

    # the sentinels make the replica the master
    group.failover()
    back("after a failover")
    is_(p("ROLE").lines[1], "$master", "the new one")
    group.settle()

    # the master dies
    old = group.kill()
    a = p("SET", "a", 1)
    ok(a.rc in ("error", "refused declined"), f"no master: refused ({a.rc})")
    within(a.ms, 100, "  at once")
    like(p("SET", "a", 1, urgent=1).rc, "declined", "a purge as well")
    group.took_over(old)
    back("its replica is found")
    old.start()
    group.settle(30)
    is_(p("SET", "a", 1).lines, OK, "the old one, back as a replica, is left alone")

    # a master that hangs
    old = group.master
    old.stop()
    wait_until(lambda: p("SET", "a", 1).rc == "refused declined", 5)
    group.took_over(old)
    back("a master that hangs: its replica is found")
    old.go_on()
    group.settle(30)

    # F-09: it becomes a replica, and no sentinel sees it
    master = group.master
    other = next(s for s in group.servers if s is not master)
    for s in group.sentinels:
        s.stop()
    other("REPLICAOF", "NO", "ONE")
    master("REPLICAOF", "127.0.0.1", other.port)
    seen = [p("SET", "a", 1) for _ in range(20)]
    ok(not any(a.lines == OK for a in seen), "READONLY: nothing is taken for written")
    is_(p("GET", "a").rc, "refused declined", "nor is a replica read")
    master("REPLICAOF", "NO", "ONE")
    other("REPLICAOF", "127.0.0.1", master.port)
    for s in group.sentinels:
        s.go_on()
    back("until it is a master again, and a sentinel says so")
    group.settle(30)

    # channels
    th = in_thread(lambda: p.get(sub="news", n=1))
    wait_until(lambda: group.master("PUBSUB", "NUMSUB", "news")[1] == 1, 5)
    group.master("PUBLISH", "news", "hello")
    like(th.join().body.decode(), "ready\nmessage hello", "a message")

    # sentinels go, one by one
    for s in group.sentinels:
        s.kill()
        time.sleep(1.1)
        is_(p("SET", "a", 1).lines, OK, "fewer sentinels: the master stays")
    p.ng.stop()

    # sentinels that lie

    def sentinel(said, push=None):
        """said(): the address it gives; push: what it publishes to who subscribes."""
        def script(conn, command):
            if command[0] == b"SENTINEL":
                value = said()
                return value if isinstance(value, bytes) else resp(value)
            if command[0] == b"SUBSCRIBE":
                conns.append(conn)
                return resp(["subscribe", "+switch-master", 1])
            return b"+OK\r\n"
        conns = []
        fake = t.keep(Fake(script))
        fake.subscribed = conns
        return fake

    one, two = t.keep(Server()), t.keep(Server())
    named = ["127.0.0.1", str(one.port)]
    fake = sentinel(lambda: named)
    p = Probe(t, f"{fake.url} mode=sentinel master=m pool=1")
    back("a sentinel of ours")
    idle = len(os.listdir(f"/proc/{p.ng.workers()[0]}/fd"))

    def fine(name):
        a = p("GET", "none", timeout=200)
        case(a.rc in ("ok", "error", "timeout", "declined", "refused declined")
             and a.ms < 300 * tap.SLOW, f"{name}, {a.rc}")

    lies = {
        "no such master": None, "an error": RuntimeError("IDONTKNOW"), "a number": 1,
        "nothing": [], "one word": ["127.0.0.1"], "three": ["127.0.0.1", "1", "2"],
        "port 0": ["127.0.0.1", "0"], "port 65536": ["127.0.0.1", "65536"],
        "a bad port": ["127.0.0.1", "x"], "a number as port": ["127.0.0.1", 6379],
        "no host": ["", "6379"], "a bad host": ["a b", "6379"], "a format": ["%s%n", "1"],
        "a name, and no resolver": ["no-such-host.invalid", "6379"],
        "a server that is not there": ["127.0.0.1", "1"],
        "itself": ["127.0.0.1", str(fake.port)],
        "garbage": b"\x00\x01\x02\r\n", "a long string": b"$100000000\r\n",
        "a big array": b"*2147483647\r\n", "an early end": b"*2\r\n$9\r\n127",
    }
    for name, lie in lies.items():
        named = lie
        before = fake.commands.count([b"SENTINEL", b"GET-MASTER-ADDR-BY-NAME", b"m"])
        fake.drop()
        wait_until(lambda: fake.commands.count(
            [b"SENTINEL", b"GET-MASTER-ADDR-BY-NAME", b"m"]) > before, 5)
        fine(name)
    named = ["127.0.0.1", str(one.port)]
    back("the truth again", 3000)

    # what is published is followed at once, but what it says is checked
    wait_until(lambda: fake.subscribed, 5)

    def publish(text):
        fake.subscribed[-1].sendall(resp(["message", "+switch-master", text]))

    for text in ("", "m", "m 127.0.0.1", f"x 127.0.0.1 1 127.0.0.1 {two.port}",
                 "m 127.0.0.1 1 127.0.0.1 99999", f"m 127.0.0.1 1  {two.port}",
                 "m " + "x" * 60000):
        publish(text)
        fine(f"published: {text[:40]!r}")
    is_(p("SET", "where", "one").lines, OK, "none of that was followed")
    is_(one("GET", "where"), b"one", "  to another server")
    named = ["127.0.0.1", str(two.port)]
    began = time.monotonic()
    publish(f"m 127.0.0.1 {one.port} 127.0.0.1 {two.port}")
    wait_until(lambda: p("SET", "where", "two").lines == OK and two("GET", "where"), 5)
    is_(two("GET", "where"), b"two", "a new master is followed")
    two("REPLICAOF", "127.0.0.1", one.port)
    wait_until(lambda: p("SET", "where", "x").rc == "refused declined", 5)
    wait_until(lambda: two.info("INFO", "replication")["master_link_status"] == "up", 5)
    is_({p("GET", "where").rc for _ in range(20)}, {"refused declined"},
        "one that is named but is a replica is not used")
    at_most(len(p.log("is not one")), 10, "said once a second")
    at_most(len(os.listdir(f"/proc/{p.ng.workers()[0]}/fd")) - idle, 5, "descriptors stay few")
