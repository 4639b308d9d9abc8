#!/usr/bin/env python3
"""The default key has the effective authority: case, default port and a trailing dot do not matter, other ports do."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        return Reply((req.get("Host") or "").encode(), cc="max-age=60")

    ng = t.nginx(origin, "proxy_set_header Host $http_host;", server="server_name _;")

    def get(host, path="/a"):
        return ng.fill(path, host=host)

    is_(get("example.com").body, b"example.com", "first")
    for host in "EXAMPLE.com", "example.com.", "example.com:80", "Example.Com.:80":
        r = get(host)
        is_((r.status, r.body, r.cache), (200, b"example.com", "HIT"), f"{host}: the same")
    for host in "example.com:8080", "example.org", "www.example.com", "example.com:81", "127.0.0.1":
        r = get(host)
        is_(r.cache, "MISS", f"{host}: another")
        is_(r.body, host.encode(), f"{host}: the origin sees it")
        is_(get(host).body, host.encode(), f"{host}: its own answer")

    # what is in the key is what the origin sees
    for i, host in enumerate(("UPPER.example", "dot.example.", "port.example:80", "[::1]", "[::1]:80",
                              "A.b:8081")):
        r = get(host, f"/fwd{i}")
        want = host.lower().removesuffix(":80").removesuffix(".")
        is_(r.body, want.encode(), f"{host}: forwarded as {want}")

    r = ng.get("http://absolute.example/abs", host="other.example")
    ok(r.status in (200, 400), f"absolute form against Host ({r.status})")
    ng.quiet()
    r2 = get("other.example", "/abs")
    is_(r2.body, b"other.example", "no mix-up through the absolute form")

    # refused or harmless: nothing of this may end up under example.com
    for lines in ("Host: example.com\r\nHost: evil.example\r\n", "Host: evil.example@example.com\r\n",
                  "Host: example.com/\r\n", "Host: example.com evil.example\r\n", "Host : evil\r\n",
                  "Host: \r\n", "Host: example.com:80:90\r\n", "Host: example.com:abc\r\n"):
        with ng.conn() as c:
            c.send(b"GET /poison HTTP/1.1\r\n" + lines.encode() + b"Connection: close\r\n\r\n")
            r = c.read()
        ok(r.status is None or r.status in (200, 400), f"{lines!r}: {r.status}")
        ng.quiet()
    is_(get("example.com", "/poison").body, b"example.com", "the victim gets the right answer")
