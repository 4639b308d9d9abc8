# Copyright (C) Strata contributors
# SPDX-License-Identifier: BSD-2-Clause

"""
What the .t files are written with.

    with scenario() as t:
        origin = t.origin()
        origin.reply("/a", Reply(b"hello", cc="max-age=60"))
        ng = t.nginx(origin)

        is_(ng.get("/a").cache, "MISS", "the first request")
        is_(ng.get("/a").cache, "HIT", "the second one")

At its end the scenario closes every connection, waits for the zone to come to
rest, stops nginx and fails on alerts, deaths, sanitizer reports and leaks.

    tap.py      checks            nginx.py    one nginx, its configuration and end
    origin.py   scripted origin   client.py   clients with times
    fcgi.py     scripted FastCGI and uwsgi backends
    h2.py       many HTTP/2 streams of one connection
    faults.py   deaths at the fault points of the test build
    hostile.py  attackers: raw requests, mirrors of what the origin heard
    followers.c very many clients of one URL
    steady.py   steady load of many kinds, and its judgement    load.c, its clients
    fault_proxy.py, fault_proxy.c    what can happen to a connection
    no_memory.py, no_memory.c        allocations that fail
"""

import contextlib
import fcntl
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import json

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.setswitchinterval(0.0005)      # origin and clients share this process

from tap import *                  # noqa: E402,F401,F403
from tap import SLOW, is_, note, ok, skip_all
import tap                         # noqa: E402
import client                      # noqa: E402
from client import Client, Conn, Parser, Response, build, request, swarm  # noqa: E402,F401
from fcgi import FastCGI, Uwsgi      # noqa: E402,F401
from h2 import H2                  # noqa: E402,F401
from hostile import EVIL, head, many, mirror, raw, rnd, special          # noqa: E402,F401
from origin import Gate, Origin, Reply, Request, blob, free_port, text    # noqa: E402,F401
import nginx as nginx_             # noqa: E402
from nginx import CACHE, FORGETFUL, PROXY, ROOT, BINARY, HAVE_MODULE, Nginx, load_module  # noqa: E402,F401

LIB = pathlib.Path(__file__).resolve().parent


class Scenario:
    def __init__(self):
        self._origins, self._nginxes, self._closers = [], [], []

    def origin(self, **kw):
        o = Origin(**kw)
        self._origins.append(o)
        return o

    def nginx(self, origin=None, location="", **kw):
        ng = Nginx(location, origin=origin, **kw)
        self._nginxes.append(ng)
        return ng

    def keep(self, thing):
        """Something with close() or stop() that has to go before nginx."""
        self._closers.append(thing)
        return thing

    def config_error(self, http="", location="", server="", zone="z 16m", **kw):
        """The message of nginx -t, or None if the configuration is accepted."""
        ng = Nginx(location, http=http, server=server, zone=zone, start=False, **kw)
        try:
            accepted, message = ng.test_config()
            return None if accepted else message
        finally:
            ng.remove()

    def _close(self):
        for thing in self._closers:
            with contextlib.suppress(Exception):
                getattr(thing, "close", getattr(thing, "stop", None))()

    def finish(self):
        self._close()
        for ng in self._nginxes:
            problems = ng.problems()
            ok(not problems, "quiet end: no alert, death, report or leak")
            for p in problems:
                note("  " + p)
        for o in self._origins:
            o.stop()
        if tap.failed():
            for ng in self._nginxes:
                note(f"last lines of {ng.dir}/error.log")
                note(_tail(ng))
        for ng in self._nginxes:
            ng.remove()
        self.__init__()

    def abandon(self):
        self._close()
        for ng in self._nginxes:
            ng.stop(1)
            ng.remove()


def _turn(alone):
    """
    Tests with narrow time bars run alone, the others side by side.  Whoever comes
    waits at the gate first, so that nobody overtakes one who wants to be alone.  What
    is alone, and all that it starts, goes before others on this machine, if it may.
    """
    locks = ROOT / "build"
    locks.mkdir(exist_ok=True)
    gate, room = open(locks / ".t-gate", "w"), open(locks / ".t-room", "w")
    fcntl.flock(gate, fcntl.LOCK_EX)
    fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
    fcntl.flock(gate, fcntl.LOCK_UN)
    if alone:
        with contextlib.suppress(PermissionError):
            os.nice(-15)
    return room                    # held until the process ends


@contextlib.contextmanager
def scenario(seconds=60, alone=False):
    """
    One test.  It is given up, and fails, after so many seconds.  alone: no other test
    runs meanwhile, for the sake of its time bars.
    """
    if HAVE_MODULE and nginx_.MODULE != "builtin" \
            and not (ROOT / nginx_.MODULE).exists():
        skip_all(f"no {nginx_.MODULE}, run make")
    room = _turn(alone)            # noqa: F841
    signal.signal(signal.SIGALRM, _out_of_time)
    signal.signal(signal.SIGTERM, _out_of_time)
    signal.alarm(int(seconds * max(1.0, SLOW)))
    t = Scenario()
    try:
        yield t
        t.finish()
    except BaseException as e:
        signal.alarm(0)
        ok(False, f"no {type(e).__name__}")
        note(traceback.format_exc())
        for ng in t._nginxes:
            note(_tail(ng))
        t.abandon()
    _exit(tap.done())


def _tail(ng):
    """The last lines of the error log that may tell something."""
    lines = [x for x in ng.log().splitlines() if not any(
        w in x for w in ("[debug]", "[notice]", "closed keepalive connection"))]
    return "\n".join(lines[-25:])[-5000:]


def _out_of_time(*_):
    raise TimeoutError("the test took too long")


def _exit(code):
    sys.stdout.flush()
    os._exit(code)                 # threads of the origin may still wait


def followers(port, n, path, *, prime=None, seconds=30, args=(), workers=()):
    """
    n clients of one URL from one C program: all connect first, prime() runs, then all
    send at once.  A dict: see followers.c; waited_ms is how long the clients, or
    the worker that had the worst of it, stood in line for a processor meanwhile.
    """
    def in_line(pids):
        ms = {}
        for pid in pids:
            try:
                ms[pid] = int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e6
            except (OSError, IndexError):
                pass
        return ms

    program = compiled("followers.c")
    p = subprocess.Popen([program, str(port), str(n), path, str(seconds), *args],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        line = p.stdout.readline()
        if line.strip() != "connected":
            raise RuntimeError(f"followers: {line!r}")
        if prime:
            prime()
        started = time.monotonic()
        before = in_line([p.pid, *workers])
        p.stdin.write("go\n")
        p.stdin.flush()
        out = p.stdout.read()
        after = in_line(before)
        p.wait(seconds + 5)
        result = json.loads(out)
        result["started"] = started
        waited = {pid: after[pid] - before[pid] for pid in after}
        result["waited_ms"] = max(waited.values(), default=0)
        return result
    finally:
        if p.poll() is None:
            p.kill()
            p.wait()


def compiled(name, *flags):
    """The program or library of a .c file beside this one, built once per version."""
    source = LIB / name
    target = ROOT / "build" / f"{source.stem}-{int(source.stat().st_mtime)}"
    target.parent.mkdir(exist_ok=True)
    if not target.exists():
        tmp = f"{target}.{os.getpid()}"        # tests run in parallel
        subprocess.run(["cc", "-O2", "-Wall", *flags, "-o", tmp, str(source)], check=True)
        os.rename(tmp, target)
    return str(target)


def in_thread(fn, *args):
    """Runs fn beside the test; join() gives its result."""
    box = {}

    class Thread(threading.Thread):
        def run(self):
            try:
                box["value"] = fn(*args)
            except BaseException as e:
                box["error"] = e

        def join(self, timeout=30):
            super().join(timeout)
            if "error" in box:
                raise box["error"]
            return box.get("value")

    t = Thread(daemon=True)
    t.start()
    return t


def read_all(conns):
    """The next response on each connection, read side by side."""
    return [th.join(60) for th in [in_thread(c.read) for c in conns]]


def ms_since(start):
    return (time.monotonic() - start) * 1000
