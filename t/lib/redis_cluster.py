# Copyright (C) Strata contributors
# SPDX-License-Identifier: BSD-2-Clause

"""
A Redis Cluster on one machine: three primaries, each with a replica.

    cluster = t.keep(Cluster())
    cluster.move(slot, to)             one slot with all its keys, in the right steps
    with cluster.moving(slot, to): ... the slot stays between two servers meanwhile
    cluster.kill(i)                    its replica takes over: cluster.took_over(i)
    cluster.failover(i)                replica i takes over from a primary that lives;
                                       in_step(i) is the replica of server i

Every server's own files are in a directory that goes with the cluster.
"""

import binascii
import contextlib

import tap
from redis_server import Server

SLOTS = 16384
PRIMARIES = 3
NODE_TIMEOUT_MS = 800


def slot_of(key):
    key = key.encode() if isinstance(key, str) else key
    start = key.find(b"{")
    end = key.find(b"}", start + 1)
    if start >= 0 and end > start + 1:
        key = key[start + 1:end]
    return binascii.crc_hqx(key, 0) % SLOTS


class Cluster:
    def __init__(self, replicas=1, options=(), **kw):
        """options: more of redis-server's; kw as Server()'s."""
        common = ["--cluster-enabled", "yes", "--cluster-node-timeout", NODE_TIMEOUT_MS,
                  "--cluster-replica-validity-factor", "0",
                  "--repl-diskless-sync-delay", "0", *options]
        self.servers, self._leader = [], None
        try:
            for _ in range(PRIMARIES * (1 + replicas)):
                self.servers.append(Server(common, cluster=True, **kw))
            self._join()
            self.settle(20)
        except BaseException:
            self.close()
            raise

    def _join(self):
        bounds = [SLOTS * i // PRIMARIES for i in range(PRIMARIES + 1)]
        first = self.servers[0]
        for i, s in enumerate(self.servers):
            s("CLUSTER", "SET-CONFIG-EPOCH", i + 1)
            if i < PRIMARIES:
                s("CLUSTER", "ADDSLOTSRANGE", bounds[i], bounds[i + 1] - 1)
            if i:
                s("CLUSTER", "MEET", "127.0.0.1", first.port, first.bus)
        self._all(lambda s: len(s("CLUSTER", "NODES").splitlines())
                  == len(self.servers) and b"handshake" not in s("CLUSTER", "NODES"))
        for i, s in enumerate(self.servers[PRIMARIES:]):
            primary = self.servers[i % PRIMARIES]
            if not tap.wait_until(lambda: self._replicate(s, primary), 10):
                raise RuntimeError("a replica can't join")

    @staticmethod
    def _replicate(replica, primary):
        try:
            return replica("CLUSTER", "REPLICATE", primary("CLUSTER", "MYID")) == b"OK"
        except RuntimeError:                    # not yet known to it
            return False

    def _all(self, condition, seconds=10):
        alive = [s for s in self.servers if s.running()]
        if not tap.wait_until(lambda: all(condition(s) for s in alive), seconds, 0.05):
            raise RuntimeError("the cluster does not come together: "
                               + alive[0]("CLUSTER", "NODES").decode())

    def settle(self, seconds=15):
        """Waits until all who live agree on who has what, and replicas are in step."""
        def settled(s):
            info = s.info("CLUSTER", "INFO")
            return (info["cluster_state"] == "ok"
                    and int(info["cluster_slots_ok"]) == SLOTS
                    and self._view(s) == self._view(alive[0])
                    and s.info("INFO", "replication").get("master_link_status",
                                                          "up") == "up")
        alive = [s for s in self.servers if s.running()]
        self._all(settled, seconds)

    @staticmethod
    def _view(server):
        return sorted((r[0], r[1], r[2][1]) for r in server("CLUSTER", "SLOTS"))

    # who is who

    @property
    def urls(self):
        return " ".join(s.url for s in self.servers)

    def primary(self, slot):
        """The index of the server that has the slot."""
        for s in self.servers:
            if s.running():
                for first, last, node, *_ in s("CLUSTER", "SLOTS"):
                    if first <= slot <= last:
                        return self._index(node[1])
        raise RuntimeError(f"nobody has slot {slot}")

    def primaries(self):
        live = next(s for s in self.servers if s.running())
        return sorted({self._index(r[2][1]) for r in live("CLUSTER", "SLOTS")})

    def replica(self, i):
        """The index of a replica of server i."""
        me = self.servers[i]("CLUSTER", "MYID")
        for line in self.servers[i]("CLUSTER", "NODES").splitlines():
            word = line.split()
            if word[3] == me:
                return self._index(int(word[1].split(b"@")[0].rsplit(b":", 1)[1]))
        raise RuntimeError(f"server {i} has no replica")

    def in_step(self, i):
        """Waits until server i has a replica that has all it has; which one."""
        def there():
            with contextlib.suppress(RuntimeError):
                k = self.replica(i)
                info = self.servers[k].info("INFO", "replication")
                return info.get("master_link_status") == "up" and [k]
        found = tap.wait_until(there, 10, 0.05)
        if not found:
            raise RuntimeError(f"server {i} has no replica in step")
        return found[0]

    def _index(self, port):
        return next(i for i, s in enumerate(self.servers)
                    if port in (s.port, s.tls_port))

    def call(self, *args, key=None):
        """A command at the primary of its key (the first argument)."""
        slot = slot_of(args[1] if key is None else key)
        return self.servers[self.primary(slot)](*args)

    def keys(self):
        return [k for i in self.primaries() for k in self.servers[i]("KEYS", "*")]

    # what happens to clusters

    @contextlib.contextmanager
    def moving(self, slot, to):
        """Meanwhile the slot is migrating; keys go over one by one with migrate()."""
        i = self.primary(slot)
        source, target = self.servers[i], self.servers[to]
        self._newest(to)
        target("CLUSTER", "SETSLOT", slot, "IMPORTING", source("CLUSTER", "MYID"))
        source("CLUSTER", "SETSLOT", slot, "MIGRATING", target("CLUSTER", "MYID"))
        yield
        while self.migrate(slot, i, to):
            pass
        owner = target("CLUSTER", "MYID")
        for k in (to, i, *(p for p in self.primaries() if p not in (to, i))):
            self.servers[k]("CLUSTER", "SETSLOT", slot, "NODE", owner)

    def _newest(self, i):
        """
        What server i says of slots outdoes what others say, and all know it.  Without
        that a server that loses a slot and gets another one within a few milliseconds
        can leave Redis in two minds for ever.
        """
        me = self.servers[i]("CLUSTER", "MYID")
        if self._leader == me or self.servers[i]("CLUSTER", "BUMPEPOCH").startswith(b"STILL"):
            return
        self._leader = me
        self._all(lambda s: len({self._epoch(x, me) for x in self.servers
                                 if x.running()}) == 1)

    @staticmethod
    def _epoch(server, node):
        return next(int(x.split()[6]) for x in server("CLUSTER", "NODES").splitlines()
                    if x.startswith(node))

    def migrate(self, slot, i, to, n=10):
        """Moves some keys of the slot; how many."""
        keys = self.servers[i]("CLUSTER", "GETKEYSINSLOT", slot, n)
        if keys:
            self.servers[i]("MIGRATE", "127.0.0.1", self.servers[to].port, "", 0, 5000,
                            "REPLACE", "KEYS", *keys)
        return len(keys)

    def move(self, slot, to):
        with self.moving(slot, to):
            pass

    def kill(self, i):
        self.servers[i].kill()

    def has_none(self, i):
        """Do all others say that server i has no slot?"""
        dead = (self.servers[i].port, self.servers[i].tls_port)
        return all(r[2][1] not in dead for k, s in enumerate(self.servers)
                   if k != i and s.running() for r in s("CLUSTER", "SLOTS"))

    def took_over(self, i, seconds=20):
        """Waits until server i, which died, has no slot; all others agree."""
        self._leader = None
        if not tap.wait_until(lambda: self.has_none(i), seconds, 0.02):
            raise RuntimeError("no replica took over")
        self.settle(seconds)

    def failover(self, i):
        """Replica i becomes a primary, in agreement with the old one."""
        self._leader = None
        self.servers[i]("CLUSTER", "FAILOVER")
        tap.wait_until(lambda: self.servers[i]("ROLE")[0] == b"master", 10)
        self.settle()

    def close(self):
        for s in self.servers:
            s.close()
