# Copyright (C) Strata contributors
# SPDX-License-Identifier: BSD-2-Clause

"""
One run of the consistency checker (docs/consistency.md): gateways, Redis behind fault
proxies, traffic.c, and a nemesis with a schedule made of the seed.

    result = run(t, 1, seconds=12, mode="both")       t: a strata.scenario()
"""

import os
import pathlib
import random
import signal
import subprocess
import sys
import time

LIB = pathlib.Path(__file__).resolve().parents[1] / "lib"
sys.path[:0] = [str(LIB), str(pathlib.Path(__file__).resolve().parent)]

import history                                     # noqa: E402
import nginx                                       # noqa: E402
import strata                                      # noqa: E402
import tap                                         # noqa: E402
from fault_proxy import FaultProxy                 # noqa: E402
from origin import free_port                       # noqa: E402
from redis_server import Server                    # noqa: E402

# where the L2 is: nowhere, on the server of the log, on another one
MODES = ("log", "both", "apart")

TOKEN = "checker-0123456789"
LEASE = 1.0
MAX = 1.0                          # strata_coherence_max

LOCATION = """location /%s/ {
            strata_cache z;
            strata_lock cluster;
            strata_lock_timeout 2s;
            strata_purge on;
            strata_coherence_max 1s;
            %s
            proxy_pass http://%%ORIGIN%%;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }
        """

OWN = {"h": "", "s": "", "v": "", "i": "strata_coherence stale;",
       "n": "strata_namespace shop;"}


class Cluster:
    def __init__(self, t, mode, nodes, port, **options):
        self.t, self.mode = t, mode
        self.redis = t.keep(Server())
        self.l2 = t.keep(Server()) if mode == "apart" else self.redis
        self.wires, self.l2_wires, self.nodes = [], [], []
        for _ in range(nodes):
            self.add(port, options)
        for ng in self.nodes:
            tap.wait_until(lambda: self.lease(ng) > 0, 10)

    def add(self, port, options):
        wire = self.t.keep(FaultProxy(self.redis.port))
        self.wires.append(wire)
        http, l2 = f"strata_redis r {wire.url} timeout=500ms;", ""
        if self.mode == "apart":
            self.l2_wires.append(self.t.keep(FaultProxy(self.l2.port)))
            http += f"strata_redis l {self.l2_wires[-1].url} timeout=500ms;"
        if self.mode != "log":
            l2 = f"strata_l2 {'r' if self.mode == 'both' else 'l'}; strata_l2_timeout 250ms;"
        http += f"strata_events redis=r stream=log lease={int(LEASE * 1000)}ms;"
        ng = self.t.nginx(
            None, zone="z 3m", http=http, start=False, connections=1024,
            only="".join(LOCATION % (name, l2 + own) for name, own in OWN.items())
            + "location /api/ { strata_cache z; strata_api write=on;"
              " strata_api_token %DIR%/tokens; }", **options)
        ng.origin = type("Origin", (), {"address": f"127.0.0.1:{port}"})
        ng.file("tokens", TOKEN)
        ng.allowed.append("strata (log|redis|l2)")
        ng.write()
        ng.start()
        self.nodes.append(ng)

    @staticmethod
    def lease(ng):
        return ng.status().get("log", {}).get("lease_ms", 0)

    def servers(self):
        return [self.redis] if self.l2 is self.redis else [self.redis, self.l2]

    def all_wires(self):
        return self.wires + self.l2_wires

    def settled(self, seconds=15):
        """Everybody has a lease and is where the log is."""
        def there():
            stats = [ng.status().get("log", {}) for ng in self.nodes]
            if any(s.get("lease_ms", 0) <= 0 for s in stats):
                return False
            at = int(self.redis("HGET", "{log}:h", "seq"))
            return all(s["sequence"] == at for s in stats)
        return tap.wait_until(there, seconds, 0.05)


class Nemesis:
    """
    Each fault has a name, and the weight it is drawn with.  A fault is a function of
    (node, x) with x of [0, 1), that returns what undoes it, if something has to.
    """

    FAULTS = {"kill": 5, "kill_tail": 4, "kill_all": 1, "reload": 3, "restart": 1, "pause": 3,
              "cut": 5, "refuse": 3, "slow": 4, "hole": 4, "deaf": 2, "mute": 2, "l2_hole": 2,
              "stop_redis": 3, "kill_redis": 1, "flush": 1, "trim": 2, "scripts": 1, "full": 2,
              "evicts": 1}

    def __init__(self, cluster, seed, seconds, every):
        self.c, self.lines, self.names, self.down = cluster, [], [], set()
        rnd = random.Random(f"{seed} nemesis")
        names, weights = zip(*self.FAULTS.items())
        self.schedule, at = [], 0.8
        while at < seconds:
            name = rnd.choices(names, weights)[0]
            self.schedule.append((at, name, rnd.randrange(len(cluster.nodes)), rnd.random(),
                                  rnd.choice((0.1, 0.3, 0.6, 1.3, 2.2))))
            at += rnd.uniform(0.3, 1.7) * every
        self.undo = []

    def run(self, start, seconds, failed):
        todo = list(self.schedule)
        while not failed() and (now := time.monotonic() - start) < seconds:
            for when, undo in [u for u in self.undo if u[0] <= now]:
                self.undo.remove((when, undo))
                undo()
            if todo and todo[0][0] <= now:
                _, name, node, x, lasts = todo.pop(0)
                if len(self.undo) < 2:
                    undo = getattr(self, name)(node, x)
                    if undo:
                        self.undo.append((time.monotonic() - start + lasts, undo))
                    self.names.append(name)
            time.sleep(0.01)
        self.heal()

    def heal(self):
        for _, undo in self.undo:
            undo()
        self.undo = []
        for wire in self.c.all_wires():
            wire.heal()
            wire.listen(True)

    def window(self, node, lasts, name):
        now = int(time.monotonic() * 1e6)
        self.lines.append(f"f {now - 50000} {now + int(lasts * 1e6)} {node} {name}")

    # of gateways

    def _kill(self, node, pids, name):
        self.window(node, 1.0, name)
        for pid in pids:
            try:
                self.c.nodes[node].kill_worker(pid)
            except OSError:
                pass

    def kill(self, node, x):
        pids = sorted(self.c.nodes[node].workers())
        self._kill(node, pids[int(x * len(pids)):][:1], "kill")

    def kill_tail(self, node, x):
        tail = self.c.nodes[node].status().get("log", {}).get("tail")
        self._kill(node, [tail] if tail in self.c.nodes[node].workers() else [], "kill_tail")

    def kill_all(self, node, x):
        self._kill(node, self.c.nodes[node].workers(), "kill_all")

    def reload(self, node, x):
        self.window(node, 3.0, "reload")
        self.c.nodes[node].reload(wait=False)

    def restart(self, node, x):
        start = int(time.monotonic() * 1e6)
        ng = self.c.nodes[node]
        ng.stop(3)
        ng.start()
        self.lines.append(f"f {start} {int(time.monotonic() * 1e6) + 1000000} {node} restart")

    def pause(self, node, x):
        """A worker stands still, and with it its idea of the time."""
        pids = sorted(self.c.nodes[node].workers())
        pid = pids[int(x * len(pids))] if pids else 0
        return self._signals(pid)

    @staticmethod
    def _signals(pid):
        def send(sig):
            try:
                os.kill(pid, sig)
            except OSError:
                pass
        if not pid:
            return None
        send(signal.SIGSTOP)
        return lambda: send(signal.SIGCONT)

    # between them and Redis

    def cut(self, node, x):
        self.c.wires[node].cut(("fin", "rst", "half")[int(x * 3)])

    def refuse(self, node, x):
        wire = self.c.wires[node]
        wire.listen(False)
        wire.cut("rst")
        return lambda: wire.listen(True)

    def slow(self, node, x):
        wire = self.c.wires[node]
        wire.both(delay=int(5 + 200 * x * x), jitter=int(5 + 300 * x * x))
        return wire.heal

    def hole(self, node, x):
        wire = self.c.wires[node]
        wire.both(drop=1)
        return wire.heal

    def deaf(self, node, x):
        """What it asks for is done, and it never knows."""
        wire = self.c.wires[node]
        wire.down(**{"drop" if x < 0.5 else "stall": 1})
        return wire.heal

    def mute(self, node, x):
        wire = self.c.wires[node]
        wire.up(**{"drop" if x < 0.5 else "stall": 1})
        return wire.heal

    def l2_hole(self, node, x):
        wire = (self.c.l2_wires or self.c.wires)[node]
        wire.both(drop=1)
        return wire.heal

    # of Redis

    def server(self, x):
        servers = self.c.servers()
        return servers[int(x * len(servers))]

    def stop_redis(self, node, x):
        server = self.server(x)
        server.stop()
        return server.go_on

    def kill_redis(self, node, x):
        server = self.server(x)
        if server in self.down:
            return None
        self.down.add(server)
        server.kill()

        def start():
            server.start()
            self.down.remove(server)
        return start

    def _command(self, *args, server=None):
        try:
            (server or self.c.redis)(*args)
        except (OSError, RuntimeError):
            pass

    def flush(self, node, x):
        self._command("FLUSHALL", server=self.server(x))

    def trim(self, node, x):
        self._command("XTRIM", "log", "MAXLEN", "0")

    def scripts(self, node, x):
        for server in self.c.servers():
            self._command("SCRIPT", "FLUSH", server=server)

    def full(self, node, x):
        self._command("CONFIG", "SET", "maxmemory", "1")
        return lambda: self._command("CONFIG", "SET", "maxmemory", "0")

    def evicts(self, node, x):
        self._command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        return lambda: self._command("CONFIG", "SET", "maxmemory-policy", "noeviction")


class Traffic:
    def __init__(self, t, seed, file, origin, nodes, *, readers=48, read_ms=12, writers=6,
                 write_ms=80, keys=200):
        self.process = subprocess.Popen(
            [strata.compiled("../check/traffic.c"), str(seed), file, str(readers), str(read_ms),
             str(writers), str(write_ms), str(keys), str(origin), TOKEN, *(str(ng.port) for ng in nodes)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            preexec_fn=nginx._die_with_parent)
        t.keep(self)
        self.expect("ready")

    def expect(self, word):
        line = self.process.stdout.readline().strip()
        if not line.startswith(word):
            raise RuntimeError(f"traffic: {line!r}, not {word!r}")
        return line

    def say(self, line, word):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.expect(word)

    def died(self):
        return self.process.poll() is not None

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def run(t, number, seconds, mode, *, nodes=3, every=1.0, quiet=2.0, faults=True, options=None,
        **traffic):
    """
    seconds of faults, then quiet ones, then everybody has to be where the log is.  A
    history.Result; .names and .took say what was done.  A history with violations stays in
    build/check.
    """
    port, start = free_port(), time.monotonic()
    cluster = Cluster(t, mode, nodes, port, **(options or {}))
    (nginx.ROOT / "build/check").mkdir(parents=True, exist_ok=True)
    file = str(nginx.ROOT / f"build/check/{number}-{mode}")
    clients = Traffic(t, number, file, port, cluster.nodes, **traffic)
    nemesis = Nemesis(cluster, number, seconds if faults else 0, every)
    try:
        nemesis.run(time.monotonic(), seconds, clients.died)
        time.sleep(quiet)
        clients.say("quiet", "quiet")
        settled = cluster.settled()
        clients.say("sweep", "swept")
        clients.say("end", "reads")
        clients.process.wait(20)
        with open(file) as f:
            lines = f.readlines()
    finally:
        clients.close()
    with open(file, "a") as f:
        f.writelines(x + "\n" for x in nemesis.lines)
    result = history.judge(lines + nemesis.lines, MAX + 0.3, mode == "log")
    result.names, result.took = nemesis.names, time.monotonic() - start
    if not settled:
        result.violations.append(("settle", "not everybody got where the log is: "
                                  + str([ng.status().get("log") for ng in cluster.nodes])))
    if not result.violations:
        os.unlink(file)
    return result


def seed():
    """SEED, or another one each time."""
    return int(os.environ.get("SEED") or random.SystemRandom().randrange(1, 1_000_000))


def verify(t, number, seconds, mode, *, at_least=(0, 0), **kw):
    """A run with its TAP: what was done, and that it was right."""
    tap.note(f"SEED={number} {mode}, {seconds} s of faults")
    r = run(t, number, seconds, mode, **kw)
    tap.note(f"{r.reads} verified reads, {r.bound} of them bound by a purge, "
             f"{r.acked} acknowledged purges, {r.refused} refused, {r.unknown} without an answer; "
             f"{r.stored} from the caches, {r.isolated} marked isolated, {r.excused} cut by a fault; "
             f"{r.fetches} fetches; {r.took:.0f} s")
    tap.note("faults: " + (" ".join(r.names) or "none"))
    tap.ok(not r.violations, f"no violation in {r.reads} reads")
    for kind, what in r.violations[:20]:
        tap.note(f"  {kind}: {what}")
    tap.at_least(r.bound, at_least[0], "reads that a purge bound")
    tap.at_least(r.acked, at_least[1], "acknowledged purges")
    return r
