#!/usr/bin/env python3
"""TLS to a cluster, to sentinels and their master; client certificates; the examples' keys."""
import pathlib, subprocess, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
from probe import Probe
from redis_cluster import Cluster, slot_of
from redis_sentinel import Group
from redis_server import Certificates, Server

with scenario(120) as t:
    ca = t.keep(Certificates())
    ca.sign("client", "strata")
    trust = f"ca={ca.path('ca.pem')}"
    ours = f"{trust} cert={ca.path('client.pem')} key={ca.path('client.key')}"

    # a cluster: the servers it names are reached, and checked, by TLS as well
    cluster = t.keep(Cluster(tls=ca))
    p = Probe(t, f"{cluster.servers[0].url} mode=cluster {trust}")
    ok(p.up(6), "three primaries of a cluster")
    keys = [f"{{{i}}}" for i in range(60)]
    is_({p("SET", k, k, key=k, timeout=1000).first for k in keys}, {"+OK"}, "written")
    ok(all(len(cluster.servers[i]("KEYS", "*")) for i in cluster.primaries()), "to each of them")
    there = cluster.primaries()
    for k in keys[:10]:
        if cluster.primary(slot_of(k)) != there[0]:
            cluster.move(slot_of(k), there[0])
    is_([k for k in keys if p("GET", k, key=k, timeout=1000).lines != [f"${k}"]], [],
        "read, after slots moved")
    at_least(p.stat()["redirects"], 1, "with redirects")
    old = cluster.primary(slot_of(keys[0]))
    cluster.failover(cluster.in_step(old))
    is_([k for k in keys if p("GET", k, key=k, timeout=1000).lines != [f"${k}"]], [],
        "and after a failover")
    cluster.close()
    p.ng.stop()

    # sentinels
    group = t.keep(Group(tls=ca))
    p = Probe(t, f"{group.urls} mode=sentinel master={group.name} {trust}")
    ok(wait_until(lambda: p("SET", "a", 1).lines == ["+OK"], 5), "a master")
    group.failover()
    ok(wait_until(lambda: p("SET", "a", 1).lines == ["+OK"], 5), "another one")
    group.close()
    p.ng.stop()

    # a server that wants our certificate
    strict = t.keep(Server(["--tls-auth-clients", "yes"], tls=ca, start=False))
    strict.tls = ca.with_client("client")
    strict.start()
    p = Probe(t, f"{strict.url} {ours}", http=f"strata_redis bare {strict.url} {trust};",
              location="location = /bare { strata_probe bare; }")
    p.ng.allowed.append("certificate required")
    ok(p.up(), "with a certificate of ours")
    is_(p("SET", "a", 1).lines, ["+OK"], "  it is used")
    wait_until(lambda: p.log("is down"), 5)
    ok(p("SET", "a", 1, path="/bare").rc in ("declined", "refused declined", "error"), "without one: no L2")
    at_least(len(p.log("is down, .*instance: \"bare\"")), 1, "  which the log says")
    p.ng.stop()

    # what the example's script makes
    made = f"{ca.dir}/made"
    subprocess.run([f"{ROOT}/conf.example/redis-tls.sh", "keys", made], check=True, timeout=60)
    mine = Certificates.of(made)
    server = t.keep(Server(["--tls-auth-clients", "yes"], tls=mine.with_client("client")))
    p = Probe(t, f"{server.url} ca={made}/ca.pem cert={made}/client.pem key={made}/client.key")
    ok(p.up(), "with the keys of conf.example/redis-tls.sh")
    is_(p("SET", "a", 1).lines, ["+OK"], "  it is used")
