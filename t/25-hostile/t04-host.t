#!/usr/bin/env python3
"""
T-04: there is one effective authority: case, default port and a trailing dot do not matter,
other ports do; what is in the key is what the origin hears, or the request is refused.
"""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

import contextlib

HOME = "example.com"
ABSOLUTE = "GET http://{} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n"

# what Host lines a request has; the target is a path of its own
LINES = [
    [f"Host: {HOME}", f"Host: {EVIL}"], [f"Host: {EVIL}", f"Host: {HOME}"], [f"Host: {HOME}", f"host: {HOME}"],
    [f"Host: {EVIL}@{HOME}"], [f"Host: {HOME}@{EVIL}"], [f"Host: {HOME}/"], [f"Host: {HOME}/{EVIL}"],
    [f"Host: {HOME} {EVIL}"], [f"Host: {HOME},{EVIL}"], [f"Host: {HOME}, {EVIL}"], [f"Host : {EVIL}"],
    [f"Host:{HOME}"], [f"Host:\t{HOME}\t"], ["Host: "], ["Host:"], [], [f"Host: {HOME}:80:90"],
    [f"Host: {HOME}:abc"], [f"Host: {HOME}:"], [f"Host: {HOME}:0"], [f"Host: {HOME}:65536"],
    [f"Host: {HOME}:080"], [f"Host: {HOME}:+80"], [f"Host: {HOME}:-1"], [f"Host: {HOME}:99999999999"],
    [f"Host: {HOME}.."], [f"Host: .{HOME}"], [f"Host: {HOME}."], [f"Host: {HOME}.:80"], [f"Host: {HOME}\\{EVIL}"],
    [f"Host: {HOME}?{EVIL}"], [f"Host: {HOME}#{EVIL}"], [f"Host: {HOME}%00{EVIL}"], [f"Host: {HOME}%2e"],
    ["Host: [::1]"], ["Host: [::1]:80"], ["Host: [::1]:81"], ["Host: [::1"], ["Host: ::1"], ["Host: [::1]x"],
    ["Host: [::1%25eth0]"], ["Host: [v1.a]"], ["Host: 127.1"], ["Host: 0x7f000001"], ["Host: xn--e1a.example"],
    ["Host: \xe9.example"], [f"Host: {HOME}\x01"], [f"Host: {HOME}\x7f"], [f"Host: {HOME}", f"X-A: b", f" Host: {EVIL}"],
    [f" Host: {EVIL}", f"Host: {HOME}"], [f"Host: {HOME}", f"Host:"], [f"Host: {'a' * 300}"], [f"Host: {'a.' * 120}b"],
]

# absolute forms: authority, and Host
TARGETS = [
    (f"{EVIL}/%", HOME), (f"{HOME}/%", EVIL), (f"{HOME}:80/%", HOME), (f"{HOME}:8080/%", HOME),
    (f"{HOME}/%", f"{HOME}:8080"), (f"user@{HOME}/%", HOME), (f"{EVIL}@{HOME}/%", HOME), (f"{HOME}@{EVIL}/%", HOME),
    (f"{HOME.upper()}/%", HOME), (f"{HOME}./%", HOME), (f"{HOME}?%", HOME), (f"{HOME}", HOME), (f"{EVIL}#/%", HOME),
    (f"{HOME}\\{EVIL}/%", HOME), (f"[::1]/%", HOME), ("/%", HOME), (f"{HOME}//%", HOME), (f"{HOME}:/%", EVIL),
]

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        return Reply((req.get("Host") or "").encode(), cc="max-age=60")

    ng = t.nginx(origin, "proxy_set_header Host $http_host;", server="server_name _;", h2=True,
                 http="add_header X-Key $strata_key always;")

    def get(host, path="/a"):
        return ng.fill(path, host=host)

    is_(get(HOME).body, HOME.encode(), "first")
    for host in "EXAMPLE.com", "example.com.", "example.com:80", "Example.Com.:80":
        r = get(host)
        case((r.status, r.body, r.cache) == (200, HOME.encode(), "HIT"), f"{host}: the same")
    for host in "example.com:8080", "example.org", "www.example.com", "example.com:81", "127.0.0.1":
        is_(get(host).cache, "MISS", f"{host}: another")
        case(get(host).body == host.encode(), f"{host}: its own answer, the origin sees it")

    # what is in the key is what the origin sees
    for i, host in enumerate(("UPPER.example", "dot.example.", "port.example:80", "[::1]", "[::1]:80", "A.b:8081")):
        r = get(host, f"/fwd{i}")
        want = host.lower().removesuffix(":80").removesuffix(".")
        case(r.body == want.encode(), f"{host}: forwarded as {want}")

    def attack(name, path, data):
        r = raw(ng, data)
        ng.quiet()
        heard = origin.last(path)
        if r.status == 200 and heard is not None and r.get("X-Key"):
            keyed = r.get("X-Key").split("|")[1]
            ok(keyed == (heard.get("Host") or ""), f"{name}: keyed as {keyed!r}, the origin heard {heard.get('Host')!r}")
        else:
            ok(r.status in (200, 400, 404, 414, None), f"{name}: {r}")
        for i in 1, 2:
            r = get(HOME, path)
            if not case((r.status, r.body) == (200, HOME.encode()), f"{name}: the victim's answer {i}"):
                note(f"  {r.body}")

    for i, lines in enumerate(LINES):
        attack(f"{lines}", f"/l{i}", head(f"/l{i}", *lines, "Connection: close", host=None))
    for i, (target, host) in enumerate(TARGETS):
        attack(f"http://{target}, Host: {host}", f"/t{i}",
               ABSOLUTE.format(target.replace("%", f"t{i}"), host).encode("latin-1"))
    for version in "1.0", "0.9":
        attack(f"HTTP/{version} without a Host", f"/v{version}", head(f"/v{version}", host=None, version=version))

    for i, (authority, host) in enumerate(((EVIL, HOME), (HOME, EVIL), (HOME, HOME), (f"{HOME}:80", HOME))):
        path = f"/h2-{i}"
        with contextlib.closing(H2(ng.h2_port, host=authority)) as c:
            s = c.get(path, headers=[("host", host)])
        ng.quiet()
        heard = origin.last(path)
        ok(s.error or s.status in (200, 400), f"h2 {authority} {host}: {s.status}")
        case(get(HOME, path).body == HOME.encode(), f"h2 {authority}, host {host}: the victim's answer")
