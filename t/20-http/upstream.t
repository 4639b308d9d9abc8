#!/usr/bin/env python3
"""Upstream keep-alive, next upstream, variables and resolving in proxy_pass: all as without the cache."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin, second = t.origin(), t.origin()
    body = blob("up", 30_000)
    conns = set()

    @origin.route("/*")
    def _(req):
        conns.add(req.sock.getpeername())
        return Reply(body, cc="max-age=60", chunked="ch" in req.path)

    @second.route("/*")
    def _(req):
        return Reply(b"second", cc="max-age=60")

    dead = free_port()
    ng = t.nginx(origin, http=f"""
        upstream keep {{ server %ORIGIN%; keepalive 4; }}
        upstream two {{ server 127.0.0.1:{dead} max_fails=0; server {second.address}; }}
        upstream backup {{ server 127.0.0.1:{dead} max_fails=0; server {second.address} backup; }}
        map $arg_o $where {{ default {second.address}; }}""", locations="""
        location /keep/ { strata_cache z; proxy_pass http://keep; proxy_http_version 1.1;
            proxy_set_header Connection ""; }
        location /two/ { strata_cache z; proxy_pass http://two; }
        location /backup/ { strata_cache z; proxy_pass http://backup; }
        location /var/ { strata_cache z; proxy_pass http://$where; }
        location /nobuf/ { strata_cache z; proxy_buffering off; proxy_pass http://%ORIGIN%; }
        location /small/ { strata_cache z; proxy_buffers 2 4k; proxy_buffer_size 4k;
            proxy_busy_buffers_size 4k; proxy_max_temp_file_size 0; proxy_pass http://%ORIGIN%; }
        location /temp/ { strata_cache z; proxy_buffers 2 4k; proxy_buffer_size 4k;
            proxy_busy_buffers_size 4k; proxy_pass http://%ORIGIN%; }""", workers=1)
    for i in range(60):
        r = ng.fill(f"/keep/{i}" + ("ch" if i % 2 else ""))
        if r.body != body:
            ok(False, f"keep {i}: {r}")
    is_(origin.count(), 60, "60 fetches")
    at_most(len(conns), 4, "over few connections: they are kept alive")
    rs = ng.swarm([Client(f"/keep/x{i}") for i in range(60)])
    is_({r.body == body for r in rs}, {True}, "60 at once")
    for path, want in (("/two/", b"second"), ("/backup/", b"second"), ("/var/", b"second"),
                       ("/nobuf/", body), ("/nobuf/ch", body), ("/small/", body), ("/small/ch", body),
                       ("/temp/", body), ("/temp/ch", body)):
        rs = [ng.fill(path + str(i % 2)) for i in range(4)]
        is_([(r.status, r.body == want, r.cache) for r in rs],
            [(200, True, "MISS")] * 2 + [(200, True, "HIT")] * 2, path)
