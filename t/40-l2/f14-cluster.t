#!/usr/bin/env python3
"""F-14: slots move, a primary dies and the cluster with it (CLUSTERDOWN) until its replica takes over."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
from redis_cluster import Cluster, slot_of
from steady import KEYS, Steady

# MOVED, ASK, TRYAGAIN, CROSSSLOT one by one: cluster.t; two gateways, all from L2: cluster-load.t
with scenario(120, alone=True) as t:
    cluster = t.keep(Cluster())
    urls = " ".join(cluster.servers[i].url for i in (0, 1))
    with Steady(t, f"{urls} mode=cluster") as load:
        with load.fault("slots move") as moving:
            home = {slot_of(k): cluster.primary(slot_of(k)) for k in cluster.keys()}
            at_least(len(home), KEYS, "slots that have keys")
            to = cluster.primaries()[0]
            moved = [s for s, i in home.items() if i != to][::2][:60]
            for slot in moved:
                cluster.move(slot, to)
        at_least(len(moved), KEYS // 4, "slots move: so many")
        cluster.settle()

        with load.fault("a primary dies") as dead:
            i = cluster.primaries()[-1]
            cluster.in_step(i)
            cluster.kill(i)
            killed = time.monotonic()
            cluster.took_over(i)
            note(f"its replica took over after {ms_since(killed) / 1000:.1f} s")
    at_least(moving.share("l2"), 0.9, "slots move: most from L2")
    at_most(dead.share("l2"), 0.95, "a primary dies: some was away")
