#!/usr/bin/env python3
"""A scan of errors keeps to the share of negative entries: the hits stay hits."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

FLOOD = int(100_000 / SLOW)        # URLs, of the first

# nginx is its own origin here: 404s as fast as they can be asked for
NGINX = """
    upstream o { server 127.0.0.1:%(port)d; keepalive 16; }

    server {
        keepalive_requests 1000000;
        listen 127.0.0.1:%(port)d reuseport;
        location / { return 404; }
        location /denied/ { return 403; }
        location /vary/ { add_header Vary Accept-Encoding always; return 404; }
    }"""


def scan(ng, path, n):
    """n URLs, many of them in a pipeline; the last answer, or the first wrong one."""
    step = 50
    with ng.conn() as c:
        for i in range(0, n, step):
            c.send(b"".join(
                b"GET %s%d HTTP/1.1\r\nHost: localhost\r\n\r\n" % (path.encode(), k)
                for k in range(i, i + step)))
            for _ in range(step):
                r = c.read()
                if r.status not in (403, 404):
                    return r
    return r


def run(share, path="/none/", flood=FLOOD // 5):
    port = free_port()
    keep = 'proxy_http_version 1.1; proxy_set_header Connection "";'
    ng = t.nginx(origin, zone=f"z 4m {share}", http=NGINX % {"port": port}, locations=f"""
        location /none/ {{ strata_cache z; strata_valid 404 10m;
                           {keep} proxy_pass http://o; }}
        location /none/vary/ {{ strata_cache z; strata_valid 404 10m;
                                {keep} proxy_pass http://o/vary/; }}
        location /none/denied/ {{ strata_cache z; strata_valid any 10m;
                                  {keep} proxy_pass http://o/denied/; }}""")
    for p in hot:
        ng.fill(p)
    is_({ng.get(p).cache for p in hot}, {"HIT"}, f"{share}: the hot set is in")
    is_(scan(ng, path, flood).status, 403 if "denied" in path else 404, f"{share}: {flood} errors")
    stat = ng.status()
    hits = sum(ng.get(p).cache == "HIT" for p in hot)
    return ng, stat, 100.0 * hits / len(hot)


with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        return Reply(text(req.target, 3000), cc="max-age=600")

    hot = [f"/hot{i}" for i in range(400)]

    for share, limit, path, flood in (("", 0.2, "/none/", FLOOD),
                                      ("negative=5%", 0.05, "/none/", FLOOD // 5),
                                      ("negative=256k", 1 / 16, "/none/vary/", FLOOD // 5),
                                      ("negative=10%", 0.1, "/none/denied/", FLOOD // 5)):
        ng, stat, ratio = run(share, path, flood)
        flood -= flood % 50
        is_(ratio, 100.0, f"{share}: every hit is still one")
        at_least(stat["evictions"], 0.9 * flood, f"{share}: errors evicted errors")
        at_most(stat["negative_bytes"], limit * stat["bytes_total"], f"{share}: bytes in the share")
        at_most(stat["negative_entries"], limit * stat["entries_total"], f"{share}: entries in the share")
        at_least(stat["negative_entries"], 0.7 * limit * stat["entries_total"], f"{share}: all of it is used")
        is_(ng.get(path + str(flood - 1)).cache, "NEGATIVE", f"{share}: the last are cached")
        ng.stop()

    ng, stat, ratio = run("negative=off")
    at_most(ratio, 50.0, "off: the flood evicts the hits")
    is_((stat["negative_entries"], stat["negative_bytes"]), (0, 0), "off: no share, nothing counted")
