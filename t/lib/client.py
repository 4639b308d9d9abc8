# Copyright (C) Strata contributors
# SPDX-License-Identifier: BSD-2-Clause

"""
HTTP/1.1 clients over raw sockets, with the times that matter:

    request()   one request, one connection
    Conn        a keep-alive connection
    swarm()     many clients at once from one epoll loop, some of them slow or rude
"""

import dataclasses
import select
import selectors
import socket
import ssl
import struct
import time

SOCKET_TIMEOUT = 30


@dataclasses.dataclass
class Response:
    """What one client saw.  Times are time.monotonic(); None: never happened."""
    status: int = None
    reason: str = ""
    headers: list = dataclasses.field(default_factory=list)
    body: bytes = b""
    complete: bool = False      # ended as its own framing says it ends
    error: str = None           # why not
    sent_at: float = None
    first_at: float = None      # first byte of the answer
    header_at: float = None
    body_at: float = None       # first byte of the body
    end_at: float = None
    keep: bool = False          # the connection may be used again

    def get(self, name, default=None):
        return next((v for n, v in self.headers if n.lower() == name.lower()), default)

    def all(self, name):
        return [v for n, v in self.headers if n.lower() == name.lower()]

    def _ms(self, at):
        return None if at is None or self.sent_at is None else (at - self.sent_at) * 1000

    @property
    def ms(self):
        return self._ms(self.end_at)

    @property
    def first_ms(self):
        return self._ms(self.first_at)

    @property
    def body_ms(self):
        return self._ms(self.body_at)

    @property
    def pid(self):
        """The worker that answered."""
        return int(self.get("X-Pid") or 0)

    # what Strata says of the answer

    @property
    def cache(self):
        return self.get("X-Status")

    @property
    def why(self):
        return self.get("X-Reason") or ""

    @property
    def tier(self):
        return self.get("X-Tier")

    @property
    def store(self):
        return self.get("X-Store")

    def __str__(self):
        return (f"{self.status} {self.cache} reason={self.why!r} {len(self.body)} bytes"
                f" complete={self.complete} error={self.error}")


class Parser:
    """Incremental parser of one response."""

    def __init__(self, method="GET"):
        self.r = Response()
        self.method = method
        self.done = False
        self.surplus = b""        # bytes after the end
        self._buf = b""
        self._parts = []
        self._left = None         # body bytes to come; None: until close
        self._chunked = False
        self._in_body = False

    def feed(self, data, now):
        if self.r.first_at is None:
            self.r.first_at = now
        self._buf += data
        try:
            if not self._in_body:
                self._head(now)
            if self._in_body and not self.done:
                self._body(now)
        except ValueError:
            self.eof(now, "not HTTP")

    def eof(self, now, error=None):
        """The connection ended."""
        if self.done:
            return
        if self._in_body and self._left is None and not self._chunked and not error:
            self._end(now)
            self.r.keep = False
            return
        self.r.error = error or ("cut in body" if self._in_body else "cut in header"
                                 if self._buf else "closed without an answer")
        self.r.end_at = now
        self.r.body = b"".join(self._parts)
        self.done = True

    def size(self):
        return sum(len(p) for p in self._parts)

    def _head(self, now):
        while True:
            head, sep, rest = self._buf.partition(b"\r\n\r\n")
            if not sep:
                return
            lines = head.decode("latin-1").split("\r\n")
            _, status, *reason = lines[0].split(" ", 2)
            self._buf = rest
            if 100 <= int(status) < 200 and int(status) != 101:
                continue
            break
        r = self.r
        r.status, r.reason = int(status), "".join(reason)
        r.headers = [(n, v.strip()) for n, _, v in (x.partition(":") for x in lines[1:])]
        r.header_at = now
        r.keep = (r.get("Connection") or "").lower() != "close"
        self._in_body = True
        if self.method == "HEAD" or r.status in (204, 304):
            self._left = 0
        elif "chunked" in (r.get("Transfer-Encoding") or "").lower():
            self._chunked = True
        elif r.get("Content-Length") is not None:
            self._left = int(r.get("Content-Length"))
        else:
            r.keep = False
        if self._left == 0:
            self._end(now)

    def _body(self, now):
        r = self.r
        if self._buf and r.body_at is None:
            r.body_at = now
        if self._chunked:
            self._chunks(now)
        elif self._left is None:
            self._parts.append(self._buf)
            self._buf = b""
        else:
            take, self._buf = self._buf[:self._left], self._buf[self._left:]
            self._parts.append(take)
            self._left -= len(take)
            if self._left == 0:
                self._end(now)

    def _chunks(self, now):
        while True:
            if self._left is None:                       # at a size line
                line, sep, rest = self._buf.partition(b"\r\n")
                if not sep:
                    return
                self._left, self._buf = int(line.split(b";")[0], 16), rest
                if self._left == 0:
                    self._left = -1                      # at the trailer
            if self._left == -1:
                line, sep, rest = self._buf.partition(b"\r\n")
                if not sep:
                    return
                self._buf = rest
                if not line:
                    self._end(now)
                    return
                continue
            if len(self._buf) < self._left + 2:
                take = self._buf[:self._left]
                self._parts.append(take)
                self._left -= len(take)
                self._buf = self._buf[len(take):]
                if self._left > 0 or len(self._buf) < 2:
                    return
            self._parts.append(self._buf[:self._left])
            self._buf = self._buf[self._left + 2:]
            self._left = None

    def _end(self, now):
        self.done = True
        self.surplus = self._buf
        self.r.complete = True
        self.r.end_at = now
        self.r.body = b"".join(self._parts)


def build(path, method="GET", headers=(), body=None, host="localhost", version="1.1",
          close=False):
    """The bytes of a request.  headers: dict or list of pairs."""
    pairs = list(headers.items() if isinstance(headers, dict) else headers)
    names = {n.lower() for n, _ in pairs}
    lines = [f"{method} {path} HTTP/{version}"]
    if host is not None and "host" not in names:
        lines.append(f"Host: {host}")
    lines += [f"{n}: {v}" for n, v in pairs]
    if close and "connection" not in names:
        lines.append("Connection: close")
    if body is not None and not names & {"content-length", "transfer-encoding"}:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (body or b"")


class Conn:
    """A keep-alive connection, blocking."""

    def __init__(self, port, tls=False, timeout=SOCKET_TIMEOUT, rcvbuf=None):
        self.sock = socket.socket()
        if rcvbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.sock.settimeout(timeout)
        self.sock.connect(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            self.sock = context.wrap_socket(self.sock, server_hostname="localhost")
        self._surplus = b""
        self.sent_at = None

    def request(self, path, method="GET", **kw):
        self.send(build(path, method, **kw))
        return self.read(method)

    get = request

    def send(self, data):
        self.sent_at = time.monotonic()
        self.sock.sendall(data)

    def read(self, method="GET"):
        """The next response on this connection."""
        p = Parser(method)
        p.r.sent_at = self.sent_at
        if self._surplus:
            p.feed(self._surplus, time.monotonic())
            self._surplus = b""
        while not p.done:
            try:
                data = self.sock.recv(65536)
            except socket.timeout:
                p.eof(time.monotonic(), "timeout")
                break
            except OSError as e:
                p.eof(time.monotonic(), type(e).__name__)
                break
            if data:
                p.feed(data, time.monotonic())
            else:
                p.eof(time.monotonic())
        self._surplus = p.surplus
        return p.r

    def reset(self):
        """Close with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self):
        self.sock.close()

    def closed_by_peer(self, seconds=0):
        """The other side ended the connection (and sent nothing more)."""
        ready, _, _ = select.select([self.sock], [], [], seconds)
        try:
            return bool(ready) and self.sock.recv(1, socket.MSG_PEEK) == b""
        except OSError:
            return True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def request(port, path, method="GET", tls=False, timeout=SOCKET_TIMEOUT, **kw):
    try:
        with Conn(port, tls, timeout) as c:
            return c.request(path, method, close=True, **kw)
    except OSError as e:
        return Response(error=type(e).__name__)


@dataclasses.dataclass
class Client:
    """One member of a swarm.  Points of abort: connect, sent, header, or a byte count."""
    path: str = "/"
    method: str = "GET"
    headers: object = ()
    body: bytes = None
    host: str = "localhost"
    start: float = 0.0            # seconds after the swarm's start
    conn: Conn = None             # an open connection to use
    slow: tuple = None            # (bytes, seconds): read so many, wait so long
    abort: object = None
    abort_after: float = 0.0      # seconds to stay at the point of abort
    port: int = None


class _Member:
    __slots__ = ("spec", "sock", "parser", "state", "wake", "own")


def swarm(port, clients, seconds=30.0):
    """
    Runs all clients at once; their responses in the same order.  An aborted client has
    error "aborted"; one that is not through in time has "deadline".
    """
    start = time.monotonic()
    end = start + seconds
    sel = selectors.DefaultSelector()
    members = []
    for spec in clients:
        m = _Member()
        m.spec, m.sock, m.state, m.own = spec, None, "new", True
        m.parser = Parser(spec.method)
        m.wake = start + spec.start
        members.append(m)
    left = len(members)

    def finish(m, error=None, rst=False):
        nonlocal left
        if m.state == "done":
            return
        if not m.parser.done:
            m.parser.eof(time.monotonic(), error)
        if m.sock is not None:
            try:
                sel.unregister(m.sock)
            except KeyError:
                pass
            if m.own or rst:
                if rst:
                    m.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                      struct.pack("ii", 1, 0))
                m.sock.close()
            else:
                m.sock.setblocking(True)
                m.sock.settimeout(SOCKET_TIMEOUT)
        m.state = "done"
        left -= 1

    def abort_at(m, point):
        """True if this client leaves here."""
        if m.spec.abort != point:
            return False
        m.state, m.wake = "leaving", time.monotonic() + m.spec.abort_after
        try:
            sel.unregister(m.sock)
        except KeyError:
            pass
        return True

    def send(m):
        s = m.spec
        m.parser.r.sent_at = time.monotonic()
        m.sock.setblocking(True)
        try:
            m.sock.sendall(build(s.path, s.method, s.headers, s.body, s.host,
                                 close=s.conn is None))
        except OSError as e:
            return finish(m, type(e).__name__)
        m.sock.setblocking(False)
        m.state, m.wake = "reading", None
        if not abort_at(m, "sent"):
            sel.register(m.sock, selectors.EVENT_READ, m)

    def begin(m):
        if m.spec.conn is not None:
            m.sock, m.own = m.spec.conn.sock, False
            return send(m)
        m.sock = socket.socket()
        if m.spec.slow:
            m.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        m.sock.setblocking(False)
        m.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        m.sock.connect_ex(("127.0.0.1", m.spec.port or port))
        m.state, m.wake = "connecting", None
        sel.register(m.sock, selectors.EVENT_WRITE, m)

    def room(m):
        if isinstance(m.spec.abort, int):
            return max(1, m.spec.abort - m.parser.size())
        return m.spec.slow[0] if m.spec.slow else 262144

    def read(m):
        try:
            data = m.sock.recv(room(m))
        except BlockingIOError:
            return
        except OSError as e:
            return finish(m, type(e).__name__)
        now = time.monotonic()
        if not data:
            return finish(m)
        m.parser.feed(data, now)
        if isinstance(m.spec.abort, int) and m.parser.size() >= m.spec.abort \
                and not m.parser.done:
            m.state, m.wake = "leaving", now + m.spec.abort_after
            return sel.unregister(m.sock)
        if m.parser.r.header_at and abort_at(m, "header"):
            return
        if m.parser.done:
            return finish(m)
        if m.spec.slow:
            m.state, m.wake = "resting", now + m.spec.slow[1]
            sel.unregister(m.sock)

    while left:
        now = time.monotonic()
        if now >= end:
            for m in members:
                finish(m, "deadline")
            break
        nearest = end
        for m in members:
            if m.state == "done" or m.wake is None:
                continue
            if m.wake > now:
                nearest = min(nearest, m.wake)
            elif m.state == "new":
                begin(m)
            elif m.state == "leaving":
                finish(m, "aborted", rst=True)
            elif m.state == "resting":
                m.state, m.wake = "reading", None
                sel.register(m.sock, selectors.EVENT_READ, m)
        if not left:
            break
        for key, _ in sel.select(max(0.0, nearest - time.monotonic())):
            m = key.data
            if m.state == "connecting":
                sel.unregister(m.sock)
                error = m.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if error:
                    finish(m, f"connect {error}")
                elif not abort_at(m, "connect"):
                    send(m)
            elif m.state == "reading":
                read(m)
    sel.close()
    return [m.parser.r for m in members]
