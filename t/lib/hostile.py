# Copyright (C) Strata contributors
# SPDX-License-Identifier: BSD-2-Clause

"""
What t/25-hostile is written with.  A case is: the attacker says what no decent client
says, then a victim asks plainly, and what he gets must be as if nobody had attacked.
tap.case() and tap.cases() count them, and t/build/suite adds them up.
"""

import fcntl
import os
import random
import socket
import subprocess

import client
import nginx
import tap
from origin import Reply

EVIL = "evil.example"


def rnd():
    """A generator whose seed is printed; STRATA_SEED replays a run."""
    seed = int(os.environ.get("STRATA_SEED") or random.SystemRandom().getrandbits(32))
    tap.note(f"STRATA_SEED={seed}")
    return random.Random(seed)


def mirror(origin, cc="max-age=60", path="/*"):
    """An origin whose body is all it was told."""
    @origin.route(path)
    def _(req):
        head = "".join(f"{n}: {v}\n" for n, v in req.headers)
        return Reply(f"{req.method} {req.target}\n{head}\n".encode("latin-1") + req.body,
                     cc=cc)


def head(target, *lines, method="GET", version="1.1", host="localhost"):
    """A request header, its lines verbatim.  The first Host is left out with host=None."""
    if host is not None:
        lines = (f"Host: {host}",) + lines
    return ("\r\n".join((f"{method} {target} HTTP/{version}",) + lines)
            + "\r\n\r\n").encode("latin-1")


def raw(ng, data, method="GET", end=False):
    """
    Sends bytes on a connection of their own; the first answer.  end: there are no more of
    them, so that nginx need not wait for a body.
    """
    try:
        with client.Conn(ng.port, timeout=10) as c:
            c.send(data)
            if end:
                c.sock.shutdown(socket.SHUT_WR)
            return c.read(method)
    except OSError as e:
        return client.Response(error=type(e).__name__)


def many(ng, targets, lines=(), batch=64, host="localhost"):
    """
    The answers to plain requests, pipelined; None: none came.  Whoever is refused takes his
    connection along, and the next one gets another.
    """
    found = []
    while len(found) < len(targets):
        part = targets[len(found):len(found) + batch]
        with client.Conn(ng.port) as c:
            c.send(b"".join(head(x, *lines, host=host) for x in part))
            for _ in part:
                r = c.read()
                found.append(None if r.status is None else r)
                if not r.keep:
                    break
    return found


def special(target):
    """A build of the module for tests, by its make target; its path."""
    with open(nginx.ROOT / f"build/.t-{target}", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(["make", "-s", target], cwd=nginx.ROOT, check=True, timeout=300)
    return f"build/{target}/ngx_http_strata_module.so"
