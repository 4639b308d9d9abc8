#!/usr/bin/env python3
"""F-11: LOADING, BUSY, MASTERDOWN, MISCONF, NOREPLICAS: words of a server that can't, never taken for data."""
import os, pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
from steady import Steady
import l2

# TRYAGAIN, CLUSTERDOWN: cluster.t, f14-cluster.t; each word as the adapter has it: redis-faults.t
with scenario(120, alone=True) as t:
    redis = l2.server(t, "--enable-debug-command", "local", "--busy-reply-threshold", "10",
                      "--dbfilename", "dump", "--key-load-delay", "0",
                      "--loading-process-events-interval-bytes", "1024")
    os.makedirs(f"{redis.dir}/dump/in-the-way")        # no snapshot can be written

    def busy(f):
        c = redis.client(20)
        c.send("EVAL", "while true do end", 0)
        f.hold(1.5)
        redis("SCRIPT", "KILL")
        c.close()

    def loading(f):
        """A server that starts, with 200 keys at 10 ms each."""
        os.rmdir(f"{redis.dir}/dump/in-the-way")
        os.rmdir(f"{redis.dir}/dump")
        for i in range(200):
            redis("SET", f"load:{i}", "x" * 2000)
        redis("CONFIG", "SET", "key-load-delay", "10000")
        c = redis.client(20)
        c.send("DEBUG", "RELOAD")
        f.hold(1.5)
        c.read()
        c.close()

    def masterdown(f):
        redis("CONFIG", "SET", "replica-serve-stale-data", "no")
        redis("REPLICAOF", "127.0.0.1", 1)
        f.hold(1.5)
        redis("REPLICAOF", "NO", "ONE")

    def noreplicas(f):
        redis("CONFIG", "SET", "min-replicas-to-write", "1")
        f.hold(1)
        redis("CONFIG", "SET", "min-replicas-to-write", "0")

    def misconf(f):
        redis("CONFIG", "SET", "save", "3600 1")
        redis("BGSAVE")
        ok(wait_until(lambda: redis.info()["rdb_last_bgsave_status"] == "err"),
           "MISCONF: the snapshot has failed")
        f.hold(1)
        redis("CONFIG", "SET", "save", "")

    with Steady(t, redis.url, location="strata_purge on;") as load:
        ng = load.ng
        ng.allowed.append("purge failed")
        for word, what in (("BUSY", busy), ("MASTERDOWN", masterdown), ("MISCONF", misconf),
                           ("NOREPLICAS", noreplicas), ("LOADING", loading)):
            with load.fault(word) as f:
                th = in_thread(what, f)
                time.sleep(0.7)
                purge = ng.purge("/cold/0")
                th.join()
                ok(purge.status == 503 and purge.get("X-Reason") in ("l2-error", "l2-down",
                                                                     "l2-timeout"),
                   f"{word}: a purge is refused ({purge.status} {purge.get('X-Reason')})")
            ok(ng.log(rf"strata (redis|l2).*{word}"), f"{word}: the log has the word")
            ok(ng.purge("/cold/0").status in (200, 404), f"{word}: a purge works again")
        is_(ng.count("l2_damaged"), 0, "none of it was taken for data")
    reads = {f.name: f.share("l2") for f in load.phases}
    for word in "MISCONF", "NOREPLICAS":
        at_least(reads[word], 0.95, f"{word}: what is there is read")
    for word in "BUSY", "MASTERDOWN", "LOADING":
        at_most(reads[word], 0.8, f"{word}: L2 was away")
