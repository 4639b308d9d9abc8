# Copyright (C) Strata contributors
# SPDX-License-Identifier: BSD-2-Clause

"""
Gateways that share an invalidation log.

    redis, a, b = invlog.pair(t, origin, "strata_coherence stale;", lease="1s")

Their stream is "log"; all have a lease when they are returned.
"""

import socket
import threading

import tap
import l2


def node(t, origin, url, location="", lease="2s", http="", events="", **kw):
    return t.nginx(origin, f"strata_purge on; {location}",
                   http=f"""strata_redis r {url} timeout=500ms;
                            strata_events redis=r stream=log lease={lease} {events}; {http}""", **kw)


def leased(ng, seconds=10):
    tap.wait_until(lambda: ng.status()["log"]["lease_ms"] > 0, seconds)
    return ng


def pair(t, origin, location="", *, options=(), n=2, **kw):
    redis = l2.server(t, *options)
    nodes = [node(t, origin, redis.url, location, **kw) for _ in range(n)]
    for ng in nodes:
        leased(ng)
    return [redis, *nodes]


def caught_up(ng, sequence, seconds=5):
    return tap.wait_until(lambda: ng.status()["log"]["sequence"] >= sequence, seconds)


class Wire:
    """A TCP port that leads to another, until it is cut."""

    def __init__(self, port):
        self.to, self.up, self.socks = port, True, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def _accept(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            if not self.up:
                s.close()
                continue
            d = socket.create_connection(("127.0.0.1", self.to))
            self.socks += [s, d]
            for x, y in (s, d), (d, s):
                threading.Thread(target=self._pump, args=(x, y), daemon=True).start()

    def _pump(self, a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
        except OSError:
            pass
        for s in a, b:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        self.up = False
        socks, self.socks = self.socks, []
        for s in socks:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def mend(self):
        self.up = True

    def close(self):
        self.cut()
        self.listener.close()
