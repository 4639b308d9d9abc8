# Copyright (C) Strata contributors
# SPDX-License-Identifier: BSD-2-Clause

"""
Scripted FastCGI and uwsgi backends: one function from a dict of CGI variables to
(headers, body); headers are "Name: value" lines, "Status: 404 X" for a status.
"""

import socket
import struct
import threading

from origin import free_port


class _Backend:
    def __init__(self, answer):
        self.answer = answer
        self.seen = []
        self.port = free_port()
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port))
        self.listener.listen(512)
        threading.Thread(target=self._accept, daemon=True).start()

    def count(self, uri=None):
        return sum(1 for v in list(self.seen) if uri in (None, v.get("REQUEST_URI")))

    def stop(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()

    def _accept(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(s,), daemon=True).start()

    def _serve(self, s):
        try:
            with s, s.makefile("rb") as rd:
                self._talk(s, rd)
        except (OSError, struct.error):
            pass


class FastCGI(_Backend):
    BEGIN, END, PARAMS, STDIN, STDOUT = 1, 3, 4, 5, 6

    def _talk(self, s, rd):
        params, rid = b"", 1
        while True:
            head = rd.read(8)
            if len(head) < 8:
                return
            _, kind, rid, length, padding = struct.unpack("!BBHHBx", head)
            data = rd.read(length + padding)[:length]
            if kind == self.PARAMS:
                params += data
            if kind == self.STDIN and not data:
                break
        variables = self._pairs(params)
        self.seen.append(variables)
        headers, body = self.answer(variables)
        out = ("\r\n".join(headers) + "\r\n\r\n").encode() + body
        for off in range(0, len(out), 32000):
            s.sendall(self._record(self.STDOUT, rid, out[off:off + 32000]))
        s.sendall(self._record(self.STDOUT, rid, b"")
                  + self._record(self.END, rid, struct.pack("!IBxxx", 0, 0)))

    @staticmethod
    def _record(kind, rid, data):
        return struct.pack("!BBHHBx", 1, kind, rid, len(data), 0) + data

    @staticmethod
    def _pairs(data):
        pairs, off = {}, 0
        while off < len(data):
            lengths = []
            for _ in range(2):
                n = data[off]
                if n & 0x80:
                    n = struct.unpack_from("!I", data, off)[0] & 0x7fffffff
                    off += 4
                else:
                    off += 1
                lengths.append(n)
            name = data[off:off + lengths[0]]
            off += lengths[0]
            pairs[name.decode("latin-1")] = data[off:off + lengths[1]].decode("latin-1")
            off += lengths[1]
        return pairs


class Uwsgi(_Backend):
    def _talk(self, s, rd):
        _, length, _ = struct.unpack("<BHB", rd.read(4))
        data, off, variables = rd.read(length), 0, {}
        while off < length:
            pair = []
            for _ in range(2):
                n = struct.unpack_from("<H", data, off)[0]
                pair.append(data[off + 2:off + 2 + n].decode("latin-1"))
                off += 2 + n
            variables[pair[0]] = pair[1]
        self.seen.append(variables)
        headers, body = self.answer(variables)
        s.sendall(("\r\n".join(["HTTP/1.1 200 OK", *headers, f"Content-Length: {len(body)}"])
                   + "\r\n\r\n").encode() + body)
