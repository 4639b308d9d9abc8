# Copyright (C) Strata contributors
# SPDX-License-Identifier: BSD-2-Clause

"""
A scripted origin.  Each path has a small Python function that gets the request
and returns a Reply, or writes what it likes with the request's own methods:

    @origin.route("/slow")
    def slow(req):
        time.sleep(0.3)
        return Reply(b"hello", cc="max-age=60")

One thread per connection, so a function may sleep or wait at a Gate.
"""

import dataclasses
import email.utils
import random
import socket
import struct
import threading
import time
import traceback

threading.stack_size(256 * 1024)


def free_port():
    """A port outside the range the kernel gives to outgoing connections."""
    for _ in range(1000):
        port = random.SystemRandom().randrange(10000, 32000)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise RuntimeError("no free port")


def blob(seed, size):
    """size bytes that say where they come from; the same for the same seed."""
    return random.Random(str(seed)).randbytes(size)


def text(seed, size):
    """As blob(), printable."""
    line = f"{seed} 0123456789 abcdefghijklmnopqrstuvwxyz\n".encode()
    return (line * (size // len(line) + 1))[:size]


@dataclasses.dataclass
class Reply:
    body: bytes = b""
    status: int = 200
    headers: list = dataclasses.field(default_factory=list)   # (name, value)
    cc: str = None            # Cache-Control
    type: str = "text/plain"
    chunked: bool = False
    close: bool = False       # close afterwards
    eof: bool = False         # no length at all: the body ends with the connection
    length: int = None        # Content-Length to claim instead of the true one
    date: bool = True
    drip: tuple = None        # (bytes, seconds): write so many, wait so long
    cut: int = None           # close after so many body bytes
    reset: bool = False       # with cut: RST instead of FIN


class Request:
    def __init__(self, sock, method, target, version, headers, body):
        self.sock, self.method, self.target = sock, method, target
        self.version, self.headers, self.body = version, headers, body
        self.path, _, self.query = target.partition("?")
        self.at = time.monotonic()
        self.ended_at = None

    def get(self, name, default=None):
        """The first value of a header field."""
        return next((v for n, v in self.headers if n.lower() == name.lower()), default)

    def all(self, name):
        return [v for n, v in self.headers if n.lower() == name.lower()]

    # for functions that write their answer themselves

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))

    def close(self):
        raise _Close()

    def reset(self):
        """Close with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise _Close()


class _Close(Exception):
    pass


class Gate:
    """Holds requests at the origin until the test lets them go."""

    def __init__(self):
        self._open = threading.Event()
        self._cond = threading.Condition()
        self._arrived = 0

    def wait(self, seconds=30):
        with self._cond:
            self._arrived += 1
            self._cond.notify_all()
        self._open.wait(seconds)

    def arrived(self, n=1, seconds=10):
        """True once n requests stand, or stood, at the gate."""
        with self._cond:
            return self._cond.wait_for(lambda: self._arrived >= n, seconds)

    def open(self):
        self._open.set()

    def shut(self):
        self._open.clear()


class Origin:
    def __init__(self, port=None):
        self.port = port or free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.requests = []
        self._routes = {}
        self._lock = threading.Lock()
        self._socks = set()
        self._listener = None
        self.up()

    # script

    def route(self, path):
        """Decorator: who answers path (without its query); "/dir/*" for a subtree."""
        def keep(fn):
            self._routes[path] = fn
            return fn
        return keep

    def reply(self, path, reply):
        """A path that always answers the same."""
        self._routes[path] = lambda req: reply

    # what happened

    def count(self, path=None, method=None):
        with self._lock:
            return sum(1 for r in self.requests
                       if (path is None or r.path == path)
                       and (method is None or r.method == method))

    def last(self, path=None):
        with self._lock:
            return next((r for r in reversed(self.requests)
                         if path is None or r.path == path), None)

    def seen(self, path):
        with self._lock:
            return [r for r in self.requests if r.path == path]

    def forget(self):
        with self._lock:
            self.requests.clear()

    # life

    def up(self):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", self.port))
        s.listen(4096)
        self._listener = s
        threading.Thread(target=self._accept, args=(s,), daemon=True).start()

    def down(self):
        """Connections are refused from here on; open ones are cut."""
        if self._listener is None:
            return
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        self._listener = None
        with self._lock:
            socks, self._socks = self._socks, set()
        for s in socks:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    stop = down

    # inside

    def _accept(self, listener):
        while True:
            try:
                s, _ = listener.accept()
            except OSError:
                return
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._socks.add(s)
            threading.Thread(target=self._serve, args=(s,), daemon=True).start()

    def _serve(self, s):
        try:
            rd = s.makefile("rb")
            while True:
                req = self._read(s, rd)
                if req is None:
                    return
                with self._lock:
                    self.requests.append(req)
                again = self._answer(req)
                req.ended_at = time.monotonic()
                if not again:
                    return
        except (_Close, OSError, ValueError):
            pass
        except Exception:
            if self._listener is not None:       # a mistake in the test
                traceback.print_exc()
        finally:
            with self._lock:
                self._socks.discard(s)
            try:
                rd.close()
                s.close()
            except OSError:
                pass

    @staticmethod
    def _read(s, rd):
        line = rd.readline(65536)
        if not line:
            return None
        method, target, version = line.decode("latin-1").split()
        headers = []
        while True:
            line = rd.readline(1 << 20).decode("latin-1").rstrip("\r\n")
            if not line:
                break
            name, _, value = line.partition(":")
            headers.append((name, value.strip()))
        low = {n.lower(): v for n, v in headers}
        body = b""
        if "chunked" in low.get("transfer-encoding", "").lower():
            while True:
                n = int(rd.readline(64).split(b";")[0], 16)
                body += rd.read(n)
                rd.readline(8)
                if n == 0:
                    break
        elif "content-length" in low:
            body = rd.read(int(low["content-length"]))
        return Request(s, method, target, version, headers, body)

    def _handler(self, path):
        if path in self._routes:
            return self._routes[path]
        best = max((p for p in self._routes if p.endswith("/*") and path.startswith(p[:-1])),
                   key=len, default=None)
        if best:
            return self._routes[best]
        return lambda req: Reply(b"no such path\n", 404, cc="no-store")

    def _answer(self, req):
        """Writes the reply; True if the connection goes on."""
        reply = self._handler(req.path)(req)
        if reply is None:
            return False
        if isinstance(reply, bytes):
            reply = Reply(reply, cc="max-age=60")

        bodiless = req.method == "HEAD" or reply.status in (204, 304) or reply.status < 200
        close = reply.close or reply.eof or req.version == "HTTP/1.0" \
            or (req.get("Connection") or "").lower() == "close"
        head = [f"HTTP/1.1 {reply.status} X"]
        if reply.date and not any(n.lower() == "date" for n, _ in reply.headers):
            head.append(f"Date: {email.utils.formatdate(usegmt=True)}")
        if reply.type and not any(n.lower() == "content-type" for n, _ in reply.headers) \
                and reply.status not in (204, 304):
            head.append(f"Content-Type: {reply.type}")
        if reply.cc is not None:
            head.append(f"Cache-Control: {reply.cc}")
        head += [f"{n}: {v}" for n, v in reply.headers]
        if reply.chunked and not bodiless:
            head.append("Transfer-Encoding: chunked")
        elif not reply.eof and reply.status not in (204, 304):
            n = len(reply.body) if reply.length is None else reply.length
            head.append(f"Content-Length: {n}")
        if close:
            head.append("Connection: close")
        head = ("\r\n".join(head) + "\r\n\r\n").encode("latin-1")

        if bodiless:
            req.send(head)
            return not close

        body = reply.body if reply.cut is None else reply.body[:reply.cut]
        if reply.drip is None:
            req.send(head + self._frame(body, reply.chunked))
        else:
            n, pause = reply.drip
            req.send(head)
            for off in range(0, len(body), n):
                req.send(self._frame(body[off:off + n], reply.chunked))
                time.sleep(pause)
        if reply.cut is not None:
            req.reset() if reply.reset else req.close()
        if reply.chunked:
            req.send(b"0\r\n\r\n")
        return not close

    @staticmethod
    def _frame(data, chunked):
        return b"%x\r\n%s\r\n" % (len(data), data) if chunked and data else data
