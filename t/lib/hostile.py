# Copyright (C) Strata contributors
# SPDX-License-Identifier: BSD-2-Clause

"""
What t/25-hostile is written with.  A case is: the attacker says what no decent client
says, then a victim asks plainly, and what he gets must be as if nobody had attacked.
tap.case() and tap.cases() count them, and t/build/suite adds them up.
"""

import os
import random

import client
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


def raw(ng, data, method="GET", port=None):
    """Sends bytes on a connection of their own; the first answer."""
    try:
        with client.Conn(port or ng.port, timeout=10) as c:
            c.send(data)
            return c.read(method)
    except OSError as e:
        return client.Response(error=type(e).__name__)


def many(ng, targets, lines=(), batch=64):
    """The answers to plain requests, pipelined on connections; None: none came."""
    found = []
    for i in range(0, len(targets), batch):
        part = targets[i:i + batch]
        with client.Conn(ng.port) as c:
            c.send(b"".join(head(x, *lines) for x in part[:-1])
                   + head(part[-1], "Connection: close", *lines))
            for _ in part:
                r = c.read()
                found.append(None if r.status is None else r)
    return found
