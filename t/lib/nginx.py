# Copyright (C) Strata contributors
# SPDX-License-Identifier: BSD-2-Clause

"""
One nginx of its own: a directory, free ports, a configuration, and the checks that
every test ends with.

In configuration text %ORIGIN% is the origin's address, %DIR% the directory,
%PORT%, %H2%, %TLS% and %BACK% ports (plain, h2c, TLS with h2, and one to spare).

    STRATA_NGINX    binary, default /usr/sbin/nginx
    STRATA_MODULE   module, default build/ngx_http_strata_module.so; "builtin" if
                    it is linked into the binary, "none" for nginx without it
    STRATA_DEBUG    1: error_log at debug
    STRATA_KEEP     1: keep the directory
    STRATA_SLOW     factor for time bars (sanitizer builds)
"""

import ctypes
import glob
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

import client
import tap
from origin import free_port

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("STRATA_NGINX", "/usr/sbin/nginx")
MODULE = os.environ.get("STRATA_MODULE", "build/ngx_http_strata_module.so")
HAVE_MODULE = MODULE != "none"

TEMPLATE = """\
user root;
worker_processes {workers};
daemon off;
master_process on;
pid %DIR%/nginx.pid;
lock_file %DIR%/nginx.lock;
error_log %DIR%/error.log {level};
worker_rlimit_nofile {nofile};
{env}
{load}
{main}

events {{
    worker_connections {connections};
}}

http {{
    access_log off;
    client_body_temp_path %DIR%/client_body;
    proxy_temp_path %DIR%/proxy;
    fastcgi_temp_path %DIR%/fastcgi;
    uwsgi_temp_path %DIR%/uwsgi;
    scgi_temp_path %DIR%/scgi;
    default_type text/plain;
    keepalive_requests 1000000;
    add_header X-Pid $pid always;
    {show}
    {zone}
    {http}

    server {{
        listen 127.0.0.1:%PORT% reuseport backlog=16384 {socket};
        {listen}
        server_name localhost;
        {server}

        {locations}

        location = /-pid {{
            return 200 "$pid";
        }}
        {status}
    }}
    {servers}
}}
"""

SHOW = """add_header X-Status $strata_status always;
    add_header X-Reason $strata_reason always;
    add_header X-Tier $strata_tier always;
    add_header X-Store $strata_store_status always;"""

STATUS = """location = /-status {
            strata_status json;
        }"""

# What a location needs to be cached in zone z and proxied to the origin.
CACHE = """strata_cache z;
            strata_cache_status on;"""

PROXY = """proxy_pass http://%ORIGIN%;
            proxy_http_version 1.1;
            proxy_set_header Connection "";"""


# For tests that look at memory: ASan keeps 256 MB of what was freed, else.
FORGETFUL = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1"}

GAUGES = ("pins", "flights", "waiters", "fetching", "readers")


class Nginx:
    def __init__(self, location="", *, origin=None, zone="z 16m", http="", server="",
                 locations="", only=None, servers="", main="", listen="", socket="",
                 env="",
                 workers=2, connections=4096, nofile=20000, level=None, conf=None,
                 h2=False, tls=False, show=True, status=True, start=True,
                 module=None, environ=None):
        """
        location     directives added to "location /", which caches and proxies
        locations    further locations;  only: locations instead of "location /"
        server, http, main, servers, listen    text at those places
        socket       more parameters of the plain port's "listen"
        conf         the whole file, if nothing of the above will do
        module, environ    another module; more environment for nginx
        """
        self.dir = tempfile.mkdtemp(prefix="strata-t-")
        for d in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi", "html"):
            os.mkdir(f"{self.dir}/{d}")
        self.origin = origin
        self.port, self.h2_port = free_port(), free_port()
        self.tls_port, self.back_port = free_port(), free_port()
        # log lines that are no failure (regexes); valgrind keeps descriptors for itself
        self.allowed = [r"setrlimit\(RLIMIT_NOFILE"] if "valgrind" in BINARY else []
        self.killed = {}             # pid: signal, by the test
        self.process = None
        self.stopped = False
        self.module, self.environ = module, environ or {}
        self.has_status = bool(status and HAVE_MODULE)
        self._parts = dict(location=location, zone=zone, http=http, server=server,
                           locations=locations, only=only, servers=servers, main=main,
                           listen=listen, socket=socket, env=env, workers=workers,
                           connections=connections, nofile=nofile, level=level,
                           h2=h2, tls=tls, show=show, status=status)
        self._conf = conf
        if tls:
            self._certificate()
        self.write()
        if start:
            self.start()

    # configuration

    def write(self, **changes):
        """Writes nginx.conf, with some of the constructor's arguments changed."""
        if "conf" in changes:
            self._conf = changes.pop("conf")
        self._parts.update(changes)
        p = self._parts
        strata = HAVE_MODULE
        listen = p["listen"]
        if p["h2"]:
            listen += "\n        listen 127.0.0.1:%H2% http2 reuseport;"
        if p["tls"]:
            listen += ("\n        listen 127.0.0.1:%TLS% ssl http2;"
                       "\n        ssl_certificate %DIR%/cert.pem;"
                       "\n        ssl_certificate_key %DIR%/key.pem;")
        locations = p["only"]
        if locations is None:
            locations = ("location / {\n            " + (CACHE if strata else "")
                         + f"\n            {PROXY}\n            {p['location']}\n        }}\n"
                         + p["locations"])
        zones = p["zone"] if isinstance(p["zone"], (list, tuple)) else [p["zone"]]
        env = "".join(f"env {e};\n" for e in ("ASAN_OPTIONS", "UBSAN_OPTIONS",
                                               "LSAN_OPTIONS")) + p["env"]
        http = p["http"]
        if strata and tap.SLOW >= 10 and "strata_lua_budget" not in http:
            http += f" strata_lua_budget {int(10 * tap.SLOW)}ms;"       # of valgrind's CPU
        text = self._conf or TEMPLATE.format(
            workers=p["workers"], connections=p["connections"], nofile=p["nofile"],
            level=p["level"] or ("debug" if os.environ.get("STRATA_DEBUG") == "1"
                                 else "info"),
            load=load_module(self.module), env=env, main=p["main"], http=http,
            server=p["server"], servers=p["servers"], listen=listen,
            socket=p["socket"],
            locations=locations, show=SHOW if strata and p["show"] else "",
            zone="\n    ".join(f"strata_zone {z};" for z in zones if z) if strata else "",
            status=STATUS if strata and p["status"] else "")
        pathlib.Path(self.dir, "nginx.conf").write_text(self.expand(text))

    def expand(self, text):
        for name, value in (("%DIR%", self.dir), ("%PORT%", self.port),
                            ("%H2%", self.h2_port), ("%TLS%", self.tls_port),
                            ("%BACK%", self.back_port),
                            ("%ORIGIN%", self.origin.address if self.origin
                             else "127.0.0.1:1")):
            text = text.replace(name, str(value))
        return text

    def file(self, name, content):
        """A file in nginx's directory; its path."""
        path = pathlib.Path(self.dir, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    def test_config(self):
        """nginx -t: (accepted, message)."""
        p = subprocess.run(self._command("-t"), capture_output=True, text=True,
                           timeout=30 * tap.SLOW, env=self._env())
        return p.returncode == 0, p.stdout + p.stderr + "".join(self.reports())

    # life

    def start(self):
        self.stopped = False
        self.process = subprocess.Popen(
            self._command(), stdin=subprocess.DEVNULL, env=self._env(),
            stdout=open(f"{self.dir}/stdout", "wb"),
            stderr=open(f"{self.dir}/stderr", "wb"), preexec_fn=_die_with_parent)
        up = tap.wait_until(lambda: self.process.poll() is not None or self._answers(),
                            10)
        if not up or self.process.poll() is not None:
            raise RuntimeError("nginx does not start: "
                               + pathlib.Path(self.dir, "stderr").read_text()
                               + self.log()[-2000:] + "".join(self.reports()))
        # every worker must be listening before tests choose among them
        tap.wait_until(lambda: len(self.workers()) >= self._parts["workers"], 5)

    def _answers(self):
        if self._conf is not None and "%PORT%" not in self._conf:
            return True
        return client.request(self.port, "/-pid", timeout=2).status is not None

    def running(self):
        return self.process is not None and self.process.poll() is None

    def send_signal(self, sig):
        os.kill(self.process.pid, sig)

    def reload(self, wait=True):
        """SIGHUP; waits until workers of the new cycle run and the old ones left."""
        old = set(self.workers())
        self.send_signal(signal.SIGHUP)
        if wait:
            return bool(tap.wait_until(
                lambda: len(set(self.workers()) - old) >= self._parts["workers"]
                and self._answers() and not old & set(self.workers()), 10))
        return True

    def workers(self):
        """Pids of the workers, those of an old cycle (shutting down) not included."""
        # under valgrind the title is the one it was started with
        return [p for p, title in self._children()
                if title.startswith(("nginx: worker process", "valgrind", "/usr/bin/valgrind"))
                and "shutting down" not in title]

    def children(self):
        return [p for p, _ in self._children()]

    def _children(self):
        found = []
        if self.process is None:
            return found
        for stat in glob.glob("/proc/[0-9]*/stat"):
            try:
                text = pathlib.Path(stat).read_text()
                pid = int(text.split(" ", 1)[0])
                ppid = int(text.rsplit(")", 1)[1].split()[1])
                if ppid == self.process.pid:
                    cmd = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
                    found.append((pid, cmd.replace(b"\0", b" ").decode().strip()))
            except (OSError, ValueError, IndexError):
                continue
        return found

    def kill_worker(self, pid, sig=signal.SIGKILL):
        """A death that the test causes and the final check allows."""
        self.killed[pid] = sig
        os.kill(pid, sig)

    def rss(self):
        """Private and shared resident memory of the workers, in bytes."""
        total = 0
        for pid in self.workers():
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Rss:"):
                    total += int(line.split()[1]) * 1024
        return total

    def stop(self, seconds=10):
        """Graceful stop; False if it had to be killed."""
        if not self.running():
            return True
        self.stopped = True
        self.send_signal(signal.SIGQUIT)
        try:
            self.process.wait(seconds * tap.SLOW)
            return True
        except subprocess.TimeoutExpired:
            for pid in self.children():
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass
            self.process.kill()
            self.process.wait()
            return False

    # talking to it

    def request(self, path, method="GET", **kw):
        return client.request(self.port, path, method, **kw)

    get = request

    def purge(self, path, **kw):
        return client.request(self.port, path, "PURGE", **kw)

    def conn(self, **kw):
        return client.Conn(self.port, **kw)

    def swarm(self, clients, seconds=30):
        return client.swarm(self.port, clients, seconds)

    def conn_to(self, pid, tries=200, port=None, **kw):
        """A keep-alive connection that worker pid accepted."""
        for _ in range(tries):
            c = client.Conn(port or self.port, **kw)
            if c.get("/-pid").body == str(pid).encode():
                return c
            c.close()
        raise RuntimeError(f"no connection to worker {pid} in {tries} tries")

    def conns(self, n, pid=None):
        """n open connections; with pid all of them to that worker."""
        return [self.conn_to(pid) if pid else self.conn() for _ in range(n)]

    def curl(self, path, *args, h2=False, tls=False, timeout=30):
        """curl over h2c, or TLS with h2.  A Response without times."""
        port = self.tls_port if tls else self.h2_port if h2 else self.port
        command = ["curl", "-sk", "-i", "--path-as-is", "-m", str(timeout), "-H", "Host: localhost"]
        if h2:
            command.append("--http2" if tls else "--http2-prior-knowledge")
        elif tls:
            command.append("--http1.1")
        p = subprocess.run(command + list(args)
                           + [f"{'https' if tls else 'http'}://localhost:{port}{path}",
                              "--resolve", f"localhost:{port}:127.0.0.1"],
                           capture_output=True, timeout=timeout + 5)
        r = client.Response(error=None if p.returncode == 0 else f"curl {p.returncode}",
                            complete=p.returncode == 0)
        head, sep, r.body = p.stdout.partition(b"\r\n\r\n")
        if sep:
            lines = head.decode("latin-1").split("\r\n")
            r.status = int(lines[0].split()[1])
            r.reason = lines[0].split()[0]
            r.headers = [(n, v.strip()) for n, _, v in
                         (x.partition(":") for x in lines[1:])]
        return r

    def status(self, zone="z"):
        """The zone's part of the status page, {} if it does not answer."""
        return self.zones().get(zone, {})

    def reasons(self, zone="z"):
        return self.status(zone).get("reasons", {})

    def fill(self, path, **kw):
        """A request whose fetch has ended, so that what it stored is there."""
        r = self.request(path, **kw)
        if self.has_status:
            self.quiet()
        return r

    def count(self, name, zone="z"):
        return self.status(zone).get(name)

    def quiet(self, seconds=5, zone="z"):
        """Waits until no pin, flight, waiter, fetch or reader is left; what is left."""
        def left():
            s = self.status(zone)
            return {g: s.get(g) for g in GAUGES if s.get(g) != 0}
        tap.wait_until(lambda: not left(), seconds, 0.02)
        return left()

    def log(self, pattern=None):
        """The error log, or its lines that match."""
        try:
            text = pathlib.Path(self.dir, "error.log").read_text(errors="replace")
        except OSError:
            return "" if pattern is None else []
        if pattern is None:
            return text
        return [x for x in text.splitlines() if re.search(pattern, x)]

    # the end

    def zones(self):
        """What the status page has; of more than 64 workers some have no seat and see nothing."""
        for _ in range(50 if self._parts["workers"] > 64 else 1):
            r = client.request(self.port, "/-status", timeout=5 * tap.SLOW)
            try:
                zones = json.loads(r.body)["zones"]
            except (ValueError, KeyError, TypeError):
                return {}
            if zones:
                break
        return zones

    def problems(self):
        """Stops nginx; everything the final check does not like."""
        found = []
        if self.running() and self.has_status:
            zones = list(self.zones())
            if not zones:
                found.append("the status location does not answer")
            for zone in zones:
                left = self.quiet(5, zone)
                if left:
                    found.append(f"zone {zone}: gauges not back to 0: {left}")
        if self.process is not None:
            if not self.running():
                if not self.stopped:
                    found.append(f"nginx exited with {self.process.returncode}")
            elif not self.stop():
                found.append("graceful stop took too long")
        for line in self.log(r"\[(alert|emerg|crit)\]"):
            death = re.search(r"worker process (\d+) exited on signal (\d+)", line)
            if death and self.killed.get(int(death[1])) == int(death[2]):
                continue
            if not any(re.search(a, line) for a in self.allowed):
                found.append(line)
        return found + self.reports()

    def reports(self):
        """What a sanitizer said."""
        return [f"sanitizer: {pathlib.Path(path).read_text(errors='replace')[:4000]}"
                for path in sorted(glob.glob(f"{self.dir}/sanitizer*")) if os.path.getsize(path)] + [
            f"sanitizer: {line}" for line in self.log(": runtime error: ")]

    def remove(self):
        if os.environ.get("STRATA_KEEP") != "1":
            shutil.rmtree(self.dir, ignore_errors=True)

    # inside

    def _command(self, *args):
        return [BINARY, "-p", self.dir, "-c", f"{self.dir}/nginx.conf", *args]

    def _env(self):
        env = {**os.environ, **self.environ}
        for name, extra in (("ASAN_OPTIONS", "detect_leaks=0:detect_odr_violation=0"),
                            ("UBSAN_OPTIONS", "print_stacktrace=1")):
            env[name] = ":".join(x for x in (
                env.get(name), extra, f"log_path={self.dir}/sanitizer") if x)
        env.setdefault("LSAN_OPTIONS", "")
        return env

    def _certificate(self):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
                        "-keyout", f"{self.dir}/key.pem", "-out", f"{self.dir}/cert.pem",
                        "-days", "2", "-subj", "/CN=localhost"],
                       check=True, capture_output=True, timeout=30)


def load_module(path=None):
    if path is None and MODULE in ("none", "builtin"):
        return ""
    return f"load_module {(ROOT / (path or MODULE)).resolve()};"


def _die_with_parent():
    """PR_SET_PDEATHSIG: a test that is killed takes its nginx along."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
