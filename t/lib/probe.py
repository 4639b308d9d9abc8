# Copyright (C) Strata contributors
# SPDX-License-Identifier: BSD-2-Clause

"""
The Redis adapter by itself: an nginx whose requests are its calls
(redis_probe/), and servers that say what the test wants.

    p = Probe(t, f"redis://{server.address} pool=1")
    p("GET", "a")                  Answer: rc, lines
    p.stat()["breaker"]
"""

import dataclasses
import json
import os
import pathlib
import select
import socket
import struct
import threading
import time
import urllib.parse

import client
import nginx
import tap

MODULE = str(pathlib.Path(nginx.MODULE).parent / "ngx_http_strata_probe_module.so")


@dataclasses.dataclass
class Answer:
    rc: str
    lines: list
    ms: float
    text: str

    @property
    def first(self):
        return self.lines[0] if self.lines else None


class Probe:
    def __init__(self, t, url, *, location="", http="", workers=1, **kw):
        """url: what follows the name in strata_redis."""
        kw.setdefault("only", f"""
            location = /r {{ strata_probe r; }}
            location = /quick {{ return 204; }}
            {location}""")
        self.ng = t.nginx(http=f"strata_redis r {url}; {http}", workers=workers,
                          main=nginx.load_module(MODULE), **kw)

    def get(self, path="/r", **args):
        """One request; list values are repeated arguments."""
        pairs = []
        for k, v in args.items():
            for one in v if isinstance(v, list) else [v]:
                pairs.append(f"{k}={one}")
        return client.request(self.ng.port, f"{path}?" + "&".join(pairs), timeout=60)

    def __call__(self, *cmd, cmds=None, path="/r", **args):
        """A call of one command, or of cmds, each a tuple."""
        quoted = ["+".join(urllib.parse.quote_from_bytes(
                      a if isinstance(a, bytes) else str(a).encode(), safe="")
                  for a in c) for c in (cmds or [cmd])]
        r = self.get(path, cmd=quoted, **args)
        lines = r.body.decode("latin-1").split("\n")[:-1]
        return Answer(lines[0].split(" ", 1)[0] if lines[:1] and lines[0][:7] != "refused"
                      else lines[0] if lines else f"HTTP {r.status} {r.error}",
                      lines[1:], r.ms, r.body.decode("latin-1"))

    def stat(self, path="/r"):
        return json.loads(self.get(path, stat=1).body)

    def up(self, connections=1, seconds=5):
        return tap.wait_until(lambda: self.stat()["connections"] >= connections, seconds)

    def log(self, pattern="strata redis"):
        return self.ng.log(pattern)


def bulk(data):
    data = data if isinstance(data, bytes) else data.encode()
    return b"$%d\r\n%s\r\n" % (len(data), data)


class Fake:
    """
    A server of the test's own.  It answers the log-in like Redis, and anything else
    by script(connection, command): bytes, None for nothing yet, or "close".  A
    command is a list of its arguments.
    """

    def __init__(self, script=None, login=True, host="127.0.0.1", port=0):
        self.script, self.login, self.host = script, login, host
        self.commands, self.connects = [], 0
        self.stop_reading = False
        self.seen = threading.Condition()
        self._conns = []
        self.open(port)

    def open(self, port=0):
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        self._listener.bind((self.host, port))
        self._listener.listen(64)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    @property
    def url(self):
        return f"redis://{self.host}:{self.port}"

    def _accept(self, listener):
        while True:
            try:
                s, _ = listener.accept()
            except OSError:
                return
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connects += 1
            self._conns.append(s)
            threading.Thread(target=self._serve, args=(s,), daemon=True).start()

    def _serve(self, s):
        buf = b""
        hello = 3
        try:
            with s:
                while True:
                    while self.stop_reading:
                        time.sleep(0.01)
                    data = s.recv(65536)
                    if not data:
                        return
                    buf += data
                    while True:
                        cmd, buf = self._command(buf)
                        if cmd is None:
                            break
                        with self.seen:
                            self.commands.append(cmd)
                            self.seen.notify_all()
                        word = cmd[0].upper()
                        if self.login and hello and word in (b"AUTH", b"SELECT", b"CLIENT",
                                                             b"PING"):
                            hello = 0 if word == b"PING" else hello
                            s.sendall(b"+PONG\r\n" if word == b"PING" else b"+OK\r\n")
                            continue
                        out = self.script(s, cmd) if self.script else b"+OK\r\n"
                        if out == "close":
                            return
                        if out:
                            s.sendall(out)
        except OSError:
            pass

    @staticmethod
    def _command(buf):
        """The first command of buf, and the rest."""
        head, sep, rest = buf.partition(b"\r\n")
        if not sep:
            return None, buf
        args = []
        for _ in range(int(head[1:])):
            head, sep, rest = rest.partition(b"\r\n")
            n = int(head[1:]) if sep else 0
            if not sep or len(rest) < n + 2:
                return None, buf
            args.append(rest[:n])
            rest = rest[n + 2:]
        return args, rest

    def say(self, data):
        """Sends bytes on every connection, unasked."""
        for s in self._conns:
            try:
                s.sendall(data)
            except OSError:
                pass

    def drop(self):
        """Closes all connections."""
        for s in self._conns:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self._conns = []

    def close(self):
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        self.drop()


class Between(Fake):
    """
    Stands before a server: each command goes there when before(command) returns, and
    its answer back when after(command) does, so what one connection sent is not done in
    one go.
    """

    def __init__(self, server):
        self.before = self.after = lambda cmd: None
        self._server, self._there = server, {}
        super().__init__(self._pass_on, login=False)

    def _pass_on(self, s, cmd):
        self.before(cmd)
        if s not in self._there:
            self._there[s] = self._server.client(20)
        self._there[s].send(*cmd)
        reply = self._there[s].raw()
        self.after(cmd)
        return reply


class Dns:
    """A name server: self.address for every A question; None: no answer, "": none such."""

    def __init__(self, address=None):
        self.address, self.asked = address, 0
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.bind(("127.0.0.1", 0))
        self.port = self._sock.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                q, peer = self._sock.recvfrom(2048)
            except OSError:
                return
            self.asked += 1
            if self.address is None:
                continue
            question = q[12:q.index(b"\0", 12) + 5]
            head = struct.pack("!HHHHH", 0x8180 if self.address else 0x8183, 1,
                               1 if self.address else 0, 0, 0)
            answer = (b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 1, 4)
                      + socket.inet_aton(self.address)) if self.address else b""
            self._sock.sendto(q[:2] + head + question + answer, peer)

    def close(self):
        self._sock.close()


class Stall:
    """
    How long the worker did not answer another client while this is open: worst, but no
    more than it computed meanwhile, as others use the machine too; and wall.
    """

    def __init__(self, ng, path="/quick"):
        self.worst = self.wall = 0.0
        self._pid = ng.workers()[0]
        self._ng, self._path, self._end = ng, path, threading.Event()

    def __enter__(self):
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def _run(self):
        request = client.build(self._path)
        s = socket.create_connection(("127.0.0.1", self._ng.port))
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while not self._end.is_set():
            start, cpu = time.monotonic(), self._cpu_ms()
            s.sendall(request)
            got = b""
            while b"\r\n\r\n" not in got:
                if not select.select([s], [], [], 10)[0]:
                    break
                data = s.recv(4096)
                if not data:
                    break
                got += data
            wall = (time.monotonic() - start) * 1000
            self.wall = max(self.wall, wall)
            self.worst = max(self.worst, min(wall, self._cpu_ms() - cpu))
            time.sleep(0.001)
        s.close()

    def _cpu_ms(self):
        return int(pathlib.Path(f"/proc/{self._pid}/schedstat").read_text().split()[0]) / 1e6

    def __exit__(self, *_):
        self._end.set()
        self._thread.join(20)
