# Copyright (C) Strata contributors
# SPDX-License-Identifier: BSD-2-Clause

"""
A redis-server (or another program that speaks its protocol) of one test: in an
empty directory, on free ports, ended by its pid.

    server = t.keep(Server())
    server("SET", "a", "b")            a command; an error reply is a RuntimeError
    server.kill(); server.start()      the same port again
    server.stop(); server.go_on()      SIGSTOP, SIGCONT
"""

import contextlib
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading

import tap
from nginx import _die_with_parent
from origin import free_port

BINARY = os.environ.get("STRATA_REDIS", "redis-server")

# in memory: a server of a cluster waits for the disk at each change of the cluster
TMP = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


class Client:
    """Commands on one connection, one at a time."""

    def __init__(self, port, timeout=5.0, context=None, host="127.0.0.1"):
        self._sock = socket.create_connection((host, port), timeout * tap.SLOW)
        if context:
            self._sock = context.wrap_socket(self._sock)
        self._file = self._sock.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __call__(self, *args):
        self.send(*args)
        return self.read()

    def send(self, *args):
        out = [b"*%d\r\n" % len(args)]
        for a in args:
            a = a if isinstance(a, bytes) else str(a).encode()
            out.append(b"$%d\r\n%s\r\n" % (len(a), a))
        self._sock.sendall(b"".join(out))

    def read(self):
        line = self._file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("connection lost")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest
        if kind == b"-":
            raise RuntimeError(rest.decode("latin-1"))
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self._file.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return None if rest == b"-1" else [self.read() for _ in range(int(rest))]
        raise ConnectionError(f"not a reply: {line!r}")

    def raw(self):
        """A reply as it came."""
        line = self._file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("connection lost")
        n = int(line[1:]) if line[:1] in b"$*" else -1
        if n < 0:
            return line
        return line + (self._file.read(n + 2) if line[:1] == b"$"
                       else b"".join(self.raw() for _ in range(n)))

    def close(self):
        with contextlib.suppress(OSError):
            self._file.close()
            self._sock.close()


class Server:
    def __init__(self, options=(), *, port=None, cluster=False, tls=None, binary=None,
                 password=None, sentinel=None, start=True, net=None):
        """
        options    more of redis-server's
        net        the Net that it lives in
        tls        a Certificates: TLS only, the plain port is off
        sentinel   a configuration; this is a sentinel then
        """
        self.dir = tempfile.mkdtemp(prefix="strata-redis-", dir=TMP)
        self.port = port or free_port()
        self.tls_port = self.port if tls else None
        self.tls, self.password = tls, password
        self.bus = free_port() if cluster else None
        self.host = net.host if net else "127.0.0.1"
        self._binary, self._process = binary or BINARY, None
        self._prefix = net.prefix if net else []
        self._client, self._lock = None, threading.Lock()
        self._args = ["--bind", self.host, "--dir", self.dir, "--save", "",
                      "--appendonly", "no", "--daemonize", "no",
                      "--unixsocket", f"{self.dir}/redis.sock"]
        if cluster:
            self._args += ["--cluster-port", self.bus]
        if tls:
            self._args += ["--port", 0, "--tls-port", self.port, *tls.redis_options()]
        else:
            self._args += ["--port", self.port]
        if password:
            self._args += ["--requirepass", password, "--masterauth", password]
        self._args += list(options)
        if sentinel is not None:
            with open(f"{self.dir}/sentinel.conf", "w") as f:
                f.write(sentinel)
            listen = ["--port", 0, "--tls-port", self.port, *tls.redis_options()] \
                if tls else ["--port", self.port]
            self._args = [f"{self.dir}/sentinel.conf", "--sentinel", "--bind",
                          "127.0.0.1", "--dir", self.dir, *listen]
        if start:
            self.start()

    @property
    def pid(self):
        return self._process.pid

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    @property
    def url(self):
        scheme = "rediss" if self.tls else "redis"
        login = f":{self.password}@" if self.password else ""
        return f"{scheme}://{login}{self.address}"

    @property
    def socket(self):
        return f"unix:{self.dir}/redis.sock"

    def start(self, environ=None):
        with open(f"{self.dir}/log", "ab") as log:
            self._process = subprocess.Popen(
                [*self._prefix, self._binary, *map(str, self._args)], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, cwd=self.dir, preexec_fn=_die_with_parent,
                env=dict(os.environ, **environ) if environ else None)
        if not tap.wait_until(lambda: not self.running() or self._answers(), 10):
            raise RuntimeError(f"{self._binary} does not answer: {self.log()[-2000:]}")
        if not self.running():
            raise RuntimeError(f"{self._binary} does not start: {self.log()[-2000:]}")

    def _answers(self):
        try:
            return self("PING") == b"PONG"
        except (OSError, RuntimeError):
            return False

    def running(self):
        return self._process is not None and self._process.poll() is None

    def client(self, timeout=5.0):
        c = Client(self.port, timeout, self.tls.context() if self.tls else None, self.host)
        if self.password:
            c("AUTH", self.password)
        return c

    def __call__(self, *args):
        with self._lock:
            for last in False, True:
                try:
                    if self._client is None:
                        self._client = self.client()
                    return self._client(*args)
                except OSError:
                    self._drop()
                    if last or not self.running():
                        raise

    def info(self, *command):
        """The reply to INFO or CLUSTER INFO as a dict."""
        text = self(*(command or ("INFO",))).decode()
        return dict(x.split(":", 1) for x in text.split("\r\n") if re.match(r"\w+:", x))

    def commands(self):
        """How often which command ran: {"get": 3}."""
        return {k[len("cmdstat_"):]: int(re.match(r"calls=(\d+)", v)[1])
                for k, v in self.info("INFO", "commandstats").items()}

    def _drop(self):
        if self._client:
            self._client.close()
            self._client = None

    def kill(self, sig=signal.SIGKILL):
        if self.running():
            self._process.send_signal(sig)
            self._process.send_signal(signal.SIGCONT)
            self._process.wait(10)
        self._drop()

    def stop(self):
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self._process.send_signal(signal.SIGCONT)

    def log(self):
        with contextlib.suppress(OSError):
            with open(f"{self.dir}/log", errors="replace") as f:
                return f.read()
        return ""

    def close(self):
        self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)


class Net:
    """
    A machine of its own for a server, at the other end of a cable.  A PermissionError, if
    this kernel does not let us.
    """

    def __init__(self):
        n = os.getpid() % 16384
        self._name, self._cable = f"strata-{n}", f"strata{n}"
        near, self.host = (f"198.18.{n >> 6}.{(n & 63) * 4 + i}" for i in (1, 2))
        self.prefix = ["ip", "netns", "exec", self._name]
        try:
            self._ip("netns", "add", self._name)
            self._ip("link", "add", self._cable, "type", "veth", "peer", "name", "eth0",
                     "netns", self._name)
            self._ip("addr", "add", f"{near}/30", "dev", self._cable)
            self._ip("link", "set", self._cable, "up")
            self._ip("-n", self._name, "addr", "add", f"{self.host}/30", "dev", "eth0")
            for x in "lo", "eth0":
                self._ip("-n", self._name, "link", "set", x, "up")
        except (OSError, subprocess.CalledProcessError) as e:
            self.close()
            raise PermissionError(getattr(e, "stderr", None) or str(e)) from e

    @staticmethod
    def _ip(*args):
        subprocess.run(["ip", *args], check=True, capture_output=True, text=True,
                       timeout=10)

    def pull(self):
        """
        The cable is pulled at the server's end: all is lost, nobody says so.  The neighbour
        stays known, as it would behind a router.
        """
        self._ip("neigh", "replace", self.host, "lladdr", self._address(), "dev",
                 self._cable, "nud", "permanent")
        self._ip("-n", self._name, "link", "set", "eth0", "down")

    def plug(self):
        self._ip("-n", self._name, "link", "set", "eth0", "up")

    def _address(self):
        out = subprocess.run([*self.prefix, "cat", "/sys/class/net/eth0/address"],
                             check=True, capture_output=True, text=True, timeout=10)
        return out.stdout.strip()

    def close(self):
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            self._ip("netns", "del", self._name)
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            self._ip("link", "del", self._cable)


def resp(value):
    """A reply: None, int, bytes or str (a bulk), list; an Exception is an error."""
    if value is None:
        return b"$-1\r\n"
    if isinstance(value, Exception):
        return f"-{value}\r\n".encode()
    if isinstance(value, int):
        return b":%d\r\n" % value
    if isinstance(value, list):
        return b"*%d\r\n" % len(value) + b"".join(map(resp, value))
    value = value if isinstance(value, bytes) else value.encode()
    return b"$%d\r\n%s\r\n" % (len(value), value)


class Certificates:
    """A certification authority of this test, and what it signed, in a directory."""

    client = None                  # a file of what we show to servers

    def __init__(self, name="127.0.0.1"):
        self.dir = tempfile.mkdtemp(prefix="strata-ca-")
        self._openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                      "-subj", "/CN=strata test authority", "-keyout", "ca.key",
                      "-out", "ca.pem")
        self.sign("server", name)

    @classmethod
    def of(cls, folder):
        """Of what somebody else made: ca.pem, server.pem, server.key."""
        self = cls.__new__(cls)
        self.dir = folder
        return self

    def with_client(self, file):
        """The same, for connections that show a certificate."""
        other = self.of(self.dir)
        other.client = file
        return other

    def sign(self, file, name):
        """file.pem and file.key for a name or address."""
        kind = "IP" if re.fullmatch(r"[\d.]+|.*:.*", name) else "DNS"
        with open(f"{self.dir}/{file}.ext", "w") as f:
            f.write(f"subjectAltName={kind}:{name}\n")
        self._openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}",
                      "-keyout", f"{file}.key", "-out", f"{file}.csr")
        self._openssl("x509", "-req", "-in", f"{file}.csr", "-CA", "ca.pem", "-CAkey",
                      "ca.key", "-CAcreateserial", "-days", "2", "-extfile",
                      f"{file}.ext", "-out", f"{file}.pem")

    def _openssl(self, *args):
        subprocess.run(["openssl", *args], cwd=self.dir, check=True,
                       capture_output=True, timeout=60)

    def path(self, file):
        return f"{self.dir}/{file}"

    def redis_options(self):
        return ["--tls-cert-file", self.path("server.pem"), "--tls-key-file",
                self.path("server.key"), "--tls-ca-cert-file", self.path("ca.pem"),
                "--tls-auth-clients", "optional", "--tls-replication", "yes",
                "--tls-cluster", "yes"]

    def context(self):
        context = ssl.create_default_context(cafile=self.path("ca.pem"))
        context.check_hostname = False          # a test may want another name
        if self.client:
            context.load_cert_chain(self.path(f"{self.client}.pem"),
                                    self.path(f"{self.client}.key"))
        return context

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)
