#!/usr/bin/env python3
"""
T-17: a client's conditions never reach the origin on a cacheable route; a 304 may change
freshness and named fields, never body, length or type, and cannot grow an entry for ever.
"""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

CONDITIONS = [
    ["If-None-Match: *"], ['If-None-Match: "e"'], ['If-None-Match: W/"e"'], [f'If-None-Match: "{"x" * 4000}"'], ["If-None-Match:"],
    ['If-None-Match: "a", "b", "e"'], ['If-None-Match: "e'], ["If-Modified-Since: Fri, 01 Jan 2094 00:00:00 GMT"], ["If-Modified-Since: soon"],
    ["If-Match: *"], ['If-Match: "other"'], ["If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT"], ['If-Range: "e"', "Range: bytes=0-1"],
    ['If-None-Match: "e"', "If-Modified-Since: Fri, 01 Jan 2094 00:00:00 GMT"], ['if-none-match: "e"', 'IF-NONE-MATCH: "f"'],
    ['If-None-Match: "e"', "Range: bytes=0-1"],
]
NAMES = ("If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since", "If-Range", "Range")

with scenario(120) as t:
    origin = t.origin()
    n = 0

    @origin.route("/*")
    def _(req):
        return Reply(status=304 if req.get("If-None-Match") or req.get("If-Modified-Since") else 412) \
            if any(req.get(x) for x in NAMES) else Reply(b"the body", cc="max-age=60", headers=[("ETag", '"e"')])

    @origin.route("/a")
    def _(req):
        global n
        n += 1
        if req.get("If-None-Match"):
            return Reply(status=304, headers=[
                ("ETag", '"e"'), ("X-Changed", f"n{n}"), ("Content-Length", "999"), ("Content-Type", "evil/type"),
                ("Content-Encoding", "gzip"), ("Content-Range", "bytes 0-1/2"), ("Transfer-Encoding", "x"),
                ("Connection", "close"), ("Set-Cookie", "a=b"), (f"X-New-{n}", "v" * 500)])
        return Reply(b"the body", headers=[("ETag", '"e"'), ("X-Changed", "n0"), ("X-Kept", "yes")])

    ng = t.nginx(origin, "strata_valid 20ms;", http="upstream back { server 127.0.0.1:%BACK%; keepalive 32; }",
                 locations="""location /grow { strata_cache z; proxy_http_version 1.1; proxy_set_header Connection "";
                                               proxy_buffer_size 16k; proxy_buffers 8 16k; proxy_pass http://back; }""",
                 servers="""server { listen 127.0.0.1:%BACK%; access_log off; keepalive_requests 1000000; location / {
                    add_header ETag '"e"' always; add_header Cache-Control no-cache always; add_header X-Grow $http_x_grow always;
                    if ($http_if_none_match = '"e"') { return 304; } return 200 "the body"; } }""")

    # 1. conditions of clients, on a key nobody has asked for
    for i, lines in enumerate(CONDITIONS):
        path = f"/c{i}"
        own = raw(ng, head(path, *lines, "Connection: close"))
        ng.quiet()
        reached = [x for r in origin.seen(path) for x in NAMES if r.get(x)]
        r = ng.get(path)
        case(not reached and (r.status, r.body) == (200, b"the body")
             and (r.cache == "HIT" or own.status == 400), f"{lines}: {reached}, {r}"[:150])

    # 2. 304s that say more than they may
    ng.fill("/a")
    worst, wrong = 0, []
    for i in range(60):
        time.sleep(0.025)
        r = ng.fill("/a")
        if (r.status, r.body, r.get("Content-Length"), r.get("Content-Type"), r.get("Content-Encoding"),
                r.get("Content-Range"), r.get("Set-Cookie")) != (200, b"the body", "8", "text/plain", None, None, None):
            wrong.append(str(r.headers))
        worst = max(worst, sum(len(a) + len(b) for a, b in r.headers))
    cases(wrong, 60, "revalidations: body, length, type, coding stay, and no cookie comes")
    is_(r.get("X-Kept"), "yes", "what the 304 does not name stays")
    at_most(worst, 66_000, "bytes of headers at the most")
    is_(ng.get("/a").status, 200, "and it works on")

    # 3. 10,000 304s with a field that grows
    ng.fill("/grow")
    used, wrong = ng.count("bytes_used"), []
    with ng.conn() as c:
        for i in range(0, 10_000, 50):
            c.send(b"".join(head("/grow", f"X-Grow: {'g' * (k * 7 // 10)}") for k in range(i, i + 50)))
            for k in range(i, i + 50):
                r = c.read()
                if (r.status, r.body) != (200, b"the body") or sum(len(a) + len(b) for a, b in r.headers) > 16_000:
                    wrong.append((k, str(r)))
    cases(wrong, 1, "10,000 revalidations whose 304 grows") or note(wrong[:3])
    at_least(ng.count("not_modified"), 9_900, "of them answered by a 304")
    ng.quiet()
    at_most(ng.count("bytes_used") - used, 256 * 1024, "bytes more in the zone")
