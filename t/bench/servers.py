# Copyright (C) Strata contributors
# SPDX-License-Identifier: BSD-2-Clause

"""
Who is compared: the same bodies, /b/SIZE/ANYTHING, from Strata and from its
neighbours, each as fast as its documentation makes it.  Also the origin.
"""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
NGINX = os.environ.get("STRATA_NGINX", "/usr/sbin/nginx")
MODULE = os.environ.get("STRATA_MODULE", ROOT / "build/ngx_http_strata_module.so")
MODULES = pathlib.Path("/usr/lib/nginx/modules")
SIZES = (1024, 16384, 262144)
LINE = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+/" * 16


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


# Bodies for "return": a directive's argument is limited, so 1 KB is a variable.
RETURNS = f'set $kb "{LINE}";\n' + "\n".join(
    f'location /b/{n}/ {{ return 200 "{"$kb" * (n // 1024)}"; }}' for n in SIZES)

CACHEABLE = 'add_header Cache-Control "public, max-age=3600";'

NGINX_CONF = """\
{modules}
user root;
daemon off;
master_process {master};
worker_processes {workers};
worker_rlimit_nofile 20000;
pid {dir}/nginx.pid;
error_log {dir}/error.log error;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    default_type application/octet-stream;
    keepalive_requests 1000000000;
    keepalive_timeout 300s;
    client_body_temp_path {dir}/t1; proxy_temp_path {tmpfs}/t2;
    fastcgi_temp_path {dir}/t3; uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5;
    upstream origin {{ server 127.0.0.1:{origin}; keepalive 64; }}
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    {http}
    server {{
        listen 127.0.0.1:{port} backlog=4096 reuseport;
        {server}
    }}
}}
"""

FILES = "open_file_cache max=300000 inactive=1h; open_file_cache_valid 1h;"

LUA = """\
    lua_shared_dict dict {mb}m;
    init_by_lua_block {{
        local lru = require("resty.lrucache").new(200000)
        local store = {{ lru = lru, dict = ngx.shared.dict }}
        function serve(kind)
            local key = ngx.var.request_uri
            local body = store[kind]:get(key)
            if not body then
                body = ngx.location.capture("/origin" .. key).body
                store[kind]:set(key, body, 3600)
            end
            ngx.header["Cache-Control"] = "public, max-age=3600"
            ngx.header["Content-Length"] = #body
            ngx.print(body)
        end
    }}
"""

LUA_SERVER = """\
        location / { content_by_lua_block { serve("%s") } }
        location /origin/ {
            internal;
            rewrite ^/origin(.*) $1 break;
            proxy_pass http://origin;
        }
"""

# name: (modules, http, server)
NGINXES = {
    "origin": ((), "", CACHEABLE + RETURNS
               + "location = /count { stub_status; }"),

    "strata": ((MODULE,), "strata_zone z {mb}m;",
               "location / { strata_cache z; proxy_pass http://origin; }"
               "location = /status { strata_status json; }"),

    "return 200": ((), "", CACHEABLE + RETURNS),

    "static sendfile": ((), "sendfile on; tcp_nopush on;" + FILES,
                         f"root {{tmpfs}}; {CACHEABLE}"),

    "static read": ((), "sendfile off; output_buffers 2 256k;" + FILES,
                     f"root {{tmpfs}}; {CACHEABLE}"),

    "proxy_cache": ((), "sendfile on; tcp_nopush on;" + FILES
                    + "proxy_cache_path {tmpfs}/cache levels=1:2 keys_zone=c:64m"
                      " max_size={mb}m inactive=1d use_temp_path=off;",
                    "location / { proxy_pass http://origin; proxy_cache c;"
                    " proxy_cache_key $request_uri; proxy_cache_lock on; }"),

    "lua LRU": (("ndk_http_module", "ngx_http_lua_module"), LUA, LUA_SERVER % "lru"),
    "lua dict": (("ndk_http_module", "ngx_http_lua_module"), LUA, LUA_SERVER % "dict"),
}

NAMES = [n for n in NGINXES if n != "origin"] + ["varnish"]

VCL = """\
vcl 4.1;
backend default {{ .host = "127.0.0.1"; .port = "{origin}"; }}
"""


def descendants(pid):
    """pid and everything it started."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = pathlib.Path("/proc", entry, "stat").read_text()
            except OSError:
                continue
            parent = int(stat.rsplit(")", 1)[1].split()[1])
            children.setdefault(parent, []).append(int(entry))
    found, todo = [], [pid]
    while todo:
        found.append(todo.pop())
        todo += children.get(found[-1], [])
    return found


class Server:
    """One contestant, on core 0, with everything it writes below dir and tmpfs."""

    running = []

    def __init__(self, name, origin=None, mb=512, wrap=(), master=True, core="0"):
        self.name, self.port = name, free_port()
        slug = f"strata-bench-{name.replace(' ', '-')}-{self.port}"
        self.dir, self.tmpfs = pathlib.Path("/tmp", slug), pathlib.Path("/dev/shm", slug)
        for path in (self.dir, self.tmpfs):
            path.mkdir()
        self.origin = origin.port if origin else 0
        command = self.varnish(mb) if name == "varnish" else self.nginx(mb, master)
        self.output = open(self.dir / "output", "w")
        self.process = subprocess.Popen(
            ["taskset", "-c", core, *wrap, *command], stdin=subprocess.DEVNULL,
            stdout=self.output, stderr=subprocess.STDOUT, start_new_session=True)
        self.running.append(self)
        self.wait()

    def nginx(self, mb, master):
        modules, http, server = NGINXES[self.name]
        here = dict(dir=self.dir, tmpfs=self.tmpfs, mb=mb)
        if self.name.startswith("static"):
            for n in SIZES:
                (self.tmpfs / "b" / str(n)).mkdir(parents=True)
                for file in ("x", "ready"):
                    (self.tmpfs / "b" / str(n) / file).write_text(LINE * (n // 1024))
        for key, value in here.items():
            server = server.replace("{%s}" % key, str(value))
        conf = self.dir / "nginx.conf"
        conf.write_text(NGINX_CONF.format(
            modules="".join(f"load_module {m if '/' in str(m) else MODULES / (m + '.so')};\n"
                            for m in modules),
            http=http.format(**here) if http else "", server=server, port=self.port,
            origin=self.origin or 1, workers=1, master="on" if master else "off", **here))
        return [NGINX, "-p", str(self.dir), "-c", str(conf), "-e", str(self.dir / "error.log")]

    def varnish(self, mb):
        vcl = self.dir / "default.vcl"
        vcl.write_text(VCL.format(origin=self.origin))
        return ["varnishd", "-F", "-j", "none", "-n", str(self.dir / "vn"),
                "-a", f"127.0.0.1:{self.port}", "-T", "none", "-f", str(vcl),
                "-s", f"malloc,{mb}m", "-t", "3600", "-p", "thread_pools=1",
                "-p", "thread_pool_min=200", "-p", "thread_pool_max=2000",
                "-p", "listen_depth=4096", "-p", "timeout_idle=300"]

    def wait(self, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            try:
                if self.get("/b/1024/ready").startswith(b"HTTP/1.1 200"):
                    return
            except OSError:
                pass
            time.sleep(0.05)
        said = (self.dir / "output").read_text()[-2000:]
        self.stop()
        raise RuntimeError(f"{self.name} does not start: {said}")

    def get(self, path):
        with socket.create_connection(("127.0.0.1", self.port), 10) as s:
            s.sendall(f"GET {path} HTTP/1.1\r\nHost: bench\r\n"
                      "Connection: close\r\n\r\n".encode())
            parts = []
            while data := s.recv(1 << 18):
                parts.append(data)
        return b"".join(parts)

    def requests(self):
        """How many requests an nginx with stub_status has seen."""
        return int(self.get("/count").split(b"\r\n\r\n", 1)[1].split()[9])

    def pids(self):
        return descendants(self.process.pid)

    def cpu_s(self):
        """User and system time of the whole tree."""
        total = 0
        for pid in self.pids():
            try:
                stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
            except OSError:
                continue
            fields = stat.rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / os.sysconf("SC_CLK_TCK")

    def memory(self):
        """Proportional set size of the tree, and what it keeps on tmpfs."""
        total = 0
        for pid in self.pids():
            try:
                rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
            except OSError:
                continue
            total += sum(int(line.split()[1]) * 1024 for line in rollup.splitlines()
                         if line.startswith("Pss:"))
        used = subprocess.run(["du", "-s", "--block-size=1", self.tmpfs],
                              capture_output=True, text=True).stdout
        return total + int(used.split()[0])

    def stop(self):
        pids = self.pids()
        for sig in (signal.SIGTERM, signal.SIGKILL):
            for pid in pids:
                try:
                    os.kill(pid, sig)
                except OSError:
                    pass
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                continue
        self.running.remove(self)
        self.output.close()
        for path in (self.dir, self.tmpfs):
            shutil.rmtree(path, ignore_errors=True)
