#!/usr/bin/env python3
"""A fetch sees the client's variables: captures, maps, addresses, arguments, cookies, the request's headers."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        return Reply("".join(f"{n.lower()}: {v}\n" for n, v in [(":target", req.target)] + req.headers).encode(),
                     cc="max-age=60")

    ng = t.nginx(origin, http="map $http_x_in $mapped { default none; a A; } map $uri $vol { volatile; default v; }",
                 locations="""
        location ~ ^/cap/(?<name>\\w+)/(.*)$ { strata_cache z; set $late "$2";
            proxy_set_header X-Name $name; proxy_set_header X-Two $2; proxy_set_header X-Late $late;
            proxy_pass http://%ORIGIN%/seen/$1?q=$2; }
        location /rw/ { strata_cache z; rewrite ^/rw/(.*)-(.*)$ /out/$2/$1?r=1 break; proxy_pass http://%ORIGIN%; }
        location /many/ { strata_cache z; proxy_pass http://%ORIGIN%;
            proxy_set_header X-Addr $remote_addr; proxy_set_header X-Port $server_port;
            proxy_set_header X-Mapped $mapped; proxy_set_header X-Vol $vol; proxy_set_header X-Arg $arg_b;
            proxy_set_header X-Uri $request_uri; proxy_set_header X-Method $request_method;
            proxy_set_header X-Host $host; proxy_set_header X-Scheme $scheme; proxy_set_header X-Proto $server_protocol;
            proxy_set_header X-For $proxy_add_x_forwarded_for; proxy_set_header X-Conn $connection;
            proxy_set_header X-Name $server_name; proxy_set_header X-Body $content_length; }""")
    r = ng.fill("/cap/first/rest/of/it")
    for line in (":target: /seen/first?q=rest/of/it", "x-name: first", "x-two: rest/of/it", "x-late: rest/of/it"):
        like(r.body.decode(), f"(?m)^{line.replace('?', '.')}$", line)
    like(ng.fill("/rw/one-two").body.decode(), "^:target: /out/two/one.r=1\n", "rewrite with captures")
    h = {"X-In": "a", "Accept-Language": "de, en;q=0.5", "User-Agent": "tester", "Accept": "text/x", "X-Long": "l" * 3000,
         "Referer": "http://x/", "If-None-Match": '"x"', "Range": "bytes=0-1", "If-Range": '"x"',
         "If-Modified-Since": "Tue, 15 Nov 2022 12:45:26 GMT", "If-Match": "*"}
    ng.fill("/many/a?b=1&a=2", headers=[*h.items(), ("X-Twice", "1"), ("X-Twice", "2")], host="Example.org")
    q = origin.last()
    for name, want in (("X-Addr", "127.0.0.1"), ("X-Port", str(ng.port)), ("X-Mapped", "A"), ("X-Vol", "v"),
                       ("X-Arg", "1"), ("X-Method", "GET"), ("X-Host", "example.org"), ("X-Scheme", "http"),
                       ("X-Proto", "HTTP/1.1"), ("X-For", "127.0.0.1"), ("X-Name", "localhost"),
                       ("Accept-Language", "de, en;q=0.5"), ("User-Agent", "tester"), ("Accept", "text/x"),
                       ("X-Long", "l" * 3000), ("Referer", "http://x/"), ("If-None-Match", None), ("Range", None),
                       ("If-Range", None), ("If-Modified-Since", None), ("If-Match", None), ("Content-Length", None)):
        is_(q.get(name), want, f"{name}")
    is_(q.all("X-Twice"), ["1", "2"], "a repeated field")
    is_(q.target, "/many/a?a=2&b=1", "the arguments, sorted")
