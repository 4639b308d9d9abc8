# Copyright (C) Strata contributors
# SPDX-License-Identifier: BSD-2-Clause

"""
Faults between a gateway and its Redis (fault_proxy.c, which names the rules).

    proxy = t.keep(FaultProxy(redis.port))     proxy.url for strata_redis
    proxy.down(delay=20, jitter=180)           answers are late
    proxy.both(drop=1)                         nothing passes
    proxy.cut("rst")                           all connections, or so many
    proxy.heal()
"""

import subprocess
import threading

import strata
from nginx import _die_with_parent
from origin import free_port


class FaultProxy:
    def __init__(self, target):
        self.port = free_port()
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [strata.compiled("fault_proxy.c"), str(self.port), str(target)], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=_die_with_parent)
        self._answer("ready")

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def _answer(self, want=None):
        line = self._process.stdout.readline().strip()
        if want is not None and line != want:
            raise RuntimeError(f"fault proxy: {line!r}")
        return line

    def _say(self, line, want=None):
        with self._lock:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
            return self._answer(want)

    def _rules(self, way, rules):
        self._say(" ".join([way, *(f"{k}={v}" for k, v in rules.items())]), "ok")

    def up(self, **rules):
        self._rules("up", rules)

    def down(self, **rules):
        self._rules("down", rules)

    def both(self, **rules):
        self.up(**rules)
        self.down(**rules)

    heal = both

    def cut(self, how="fin", n=0):
        return int(self._say(f"cut {how} {n}"))

    def listen(self, on=True):
        self._say(f"listen {int(on)}", "ok")

    def target(self, port):
        self._say(f"target {port}", "ok")

    def stat(self):
        return {k: int(v) for k, v in
                (x.split("=") for x in self._say("stat").split())}

    def close(self):
        self._process.stdin.close()
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
