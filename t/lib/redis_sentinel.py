# Copyright (C) Strata contributors
# SPDX-License-Identifier: BSD-2-Clause

"""
A master, replicas and sentinels on one machine.

    group = t.keep(Group())
    group.urls, group.name             for strata_redis ... mode=sentinel master=
    group.kill()                       the master dies; group.took_over() waits
    group.failover()                   the sentinels make a replica the master
"""

import tap
from redis_server import Server

DOWN_MS = 600


class Group:
    def __init__(self, replicas=1, sentinels=3, name="strata-master", **kw):
        self.name, self.servers, self.sentinels = name, [], []
        try:
            for i in range(1 + replicas):
                options = ["--repl-diskless-sync-delay", "0"]
                if i:
                    options += ["--replicaof", f"127.0.0.1 {self.servers[0].port}"]
                self.servers.append(Server(options, **kw))
            for _ in range(sentinels):
                self.sentinels.append(Server(sentinel=self._conf(sentinels, kw),
                                             tls=kw.get("tls")))
            self.settle()
        except BaseException:
            self.close()
            raise

    def _conf(self, sentinels, kw):
        auth = (f"sentinel auth-pass {self.name} {kw['password']}\n"
                if kw.get("password") else "")
        return (f"sentinel monitor {self.name} 127.0.0.1 {self.servers[0].port} "
                f"{sentinels // 2 + 1}\n"
                f"sentinel down-after-milliseconds {self.name} {DOWN_MS}\n"
                f"sentinel failover-timeout {self.name} 4000\n{auth}")

    @property
    def urls(self):
        return " ".join(s.url for s in self.sentinels)

    def _seen(self, sentinel):
        address = sentinel("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.name)
        return int(address[1])

    def settle(self, seconds=20):
        """Waits until all sentinels know each other, the replicas and one master."""
        def settled():
            for s in self.sentinels:
                m = s("SENTINEL", "MASTER", self.name)
                m = dict(zip(m[::2], m[1::2]))
                if (m[b"flags"] != b"master"
                        or int(m[b"num-other-sentinels"]) < len(self.sentinels) - 1
                        or int(m[b"num-slaves"]) < len(self.servers) - 1
                        or self._seen(s) != self.master.port):
                    return False
            return True
        if not tap.wait_until(settled, seconds, 0.05):
            raise RuntimeError("the sentinels do not come together")

    @property
    def master(self):
        """Who says that it is, and the first sentinel agrees."""
        port = self._seen(self.sentinels[0])
        return next(s for s in self.servers if s.port == port)

    def kill(self):
        """The master dies; which server it was."""
        old = self.master
        old.kill()
        return old

    def took_over(self, old, seconds=20):
        """Waits until every sentinel names another master, which says it is one."""
        def done():
            return (all(self._seen(s) != old.port for s in self.sentinels)
                    and self.master("ROLE")[0] == b"master")
        if not tap.wait_until(done, seconds, 0.02):
            raise RuntimeError("no replica took over")

    def failover(self):
        old = self.master
        if not tap.wait_until(self._failover, 10, 0.2):
            raise RuntimeError("the sentinels refuse")
        self.took_over(old)
        return old

    def _failover(self):
        try:
            return self.sentinels[0]("SENTINEL", "FAILOVER", self.name) == b"OK"
        except RuntimeError:                    # NOGOODSLAVE, INPROG: soon
            return False

    def close(self):
        for s in self.sentinels + self.servers:
            s.close()
