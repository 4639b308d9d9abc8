# Copyright (C) Strata contributors
# SPDX-License-Identifier: BSD-2-Clause

"""
A small HTTP/2 client (prior knowledge) for what curl can't do: many streams of one
connection at once, and streams that are reset in the middle.

Header blocks are sent as plain literals.  Of an answer's header block only the status
is read: nginx sends it first, as an indexed field or a short literal.
"""

import socket
import struct
import time

DATA, HEADERS, RST, SETTINGS, PING, GOAWAY, WINDOW = 0, 1, 3, 4, 6, 7, 8
END_STREAM, END_HEADERS, ACK = 0x1, 0x4, 0x1
INDEXED = {0x88: 200, 0x89: 204, 0x8a: 206, 0x8b: 304, 0x8c: 400, 0x8d: 404, 0x8e: 500}


class Stream:
    def __init__(self, path):
        self.path, self.status, self.body = path, None, b""
        self.complete, self.error = False, None
        self.sent_at = time.monotonic()
        self.first_at = self.end_at = None

    @property
    def ms(self):
        return None if self.end_at is None else (self.end_at - self.sent_at) * 1000

    @property
    def over(self):
        return self.complete or self.error is not None


class H2:
    def __init__(self, port, host="localhost", timeout=30):
        self.host = host
        self.sock = socket.create_connection(("127.0.0.1", port), timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.streams, self._next, self._buf = {}, 1, b""
        self.sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                          + self._frame(SETTINGS, 0, 0, struct.pack("!HI", 4, 0x7fffffff))
                          + self._frame(WINDOW, 0, 0, struct.pack("!I", 0x7fff0000)))

    def open(self, path, method="GET", headers=(), body=b""):
        """Sends a request; a Stream."""
        fields = [(":method", method), (":scheme", "http"), (":path", path),
                  (":authority", self.host)]
        fields += list(headers.items() if isinstance(headers, dict) else headers)
        block = b"".join(b"\0" + self._string(n.lower()) + self._string(v) for n, v in fields)
        s = Stream(path)
        s.id = self._next
        self._next += 2
        self.streams[s.id] = s
        end = 0 if body else END_STREAM
        self.sock.sendall(self._frame(HEADERS, end | END_HEADERS, s.id, block))
        for i in range(0, len(body), 16384):
            end = END_STREAM if i + 16384 >= len(body) else 0
            self.sock.sendall(self._frame(DATA, end, s.id, body[i:i + 16384]))
        return s

    def reset(self, s):
        s.error = "reset by us"
        self.sock.sendall(self._frame(RST, 0, s.id, struct.pack("!I", 8)))

    def run(self, seconds=20, until=None):
        """Reads frames until every stream is over (or until() is true)."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if until() if until else all(s.over for s in self.streams.values()):
                return True
            self.sock.settimeout(max(0.01, min(0.05, end - time.monotonic())))
            try:
                data = self.sock.recv(262144)
            except socket.timeout:
                continue
            if not data:
                for s in self.streams.values():
                    if not s.over:
                        s.error = "connection closed"
                return True
            self._buf += data
            self._frames()
        return False

    def get(self, path, **kw):
        s = self.open(path, **kw)
        self.run(until=lambda: s.over)
        return s

    def close(self):
        self.sock.close()

    def _frames(self):
        while len(self._buf) >= 9:
            n = int.from_bytes(self._buf[:3], "big")
            kind, flags = self._buf[3], self._buf[4]
            sid = int.from_bytes(self._buf[5:9], "big") & 0x7fffffff
            if len(self._buf) < 9 + n:
                return
            payload, self._buf = self._buf[9:9 + n], self._buf[9 + n:]
            if kind == SETTINGS and not flags & ACK:
                self.sock.sendall(self._frame(SETTINGS, ACK, 0, b""))
            elif kind == PING and not flags & ACK:
                self.sock.sendall(self._frame(PING, ACK, 0, payload))
            s = self.streams.get(sid)
            if s is None:
                continue
            now = time.monotonic()
            if kind == HEADERS:
                s.first_at = now
                s.status = self._status(payload)
            elif kind == DATA:
                s.body += payload
            elif kind == RST:
                s.error = s.error or "reset"
            if kind in (DATA, HEADERS) and flags & END_STREAM:
                s.complete = True
            if s.over and s.end_at is None:
                s.end_at = now

    @staticmethod
    def _status(block):
        while block and block[0] & 0xe0 == 0x20:       # table size update
            block = block[1:]
        if block and block[0] in INDEXED:
            return INDEXED[block[0]]
        if len(block) > 4 and block[0] & 0x0f == 8 and block[1] == 3:
            return int(block[2:5])                     # literal, name :status
        return None

    @staticmethod
    def _string(text):
        raw = text.encode("latin-1")
        if len(raw) < 127:
            return bytes([len(raw)]) + raw
        n, out = len(raw) - 127, b"\x7f"
        while n >= 128:
            out += bytes([n % 128 + 128])
            n //= 128
        return out + bytes([n]) + raw

    @staticmethod
    def _frame(kind, flags, sid, payload):
        return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + sid.to_bytes(4, "big") + payload
