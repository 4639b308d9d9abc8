#!/usr/bin/env python3
"""
The 21 probes of RELIABILITY.md 2.3: an attacker's request, then a victim's, against Strata as
shipped and against nginx's own proxy_cache, which is there to compare with.
"""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

V = "victim.example"


def header(*lines, target="/%", method="GET", host=V, body=b""):
    """An attacker's request to the URL of the probe."""
    return lambda path: head(target.replace("/%", path), *lines, "Connection: close", method=method, host=host) + body


# name: the attack, and what the victim asks for (default: the URL of the probe, plainly)
PROBES = {
    "X-Forwarded-Host reflected": header(f"X-Forwarded-Host: {EVIL}"),
    "X-Original-URL reflected": header("X-Original-URL: /evil"),
    "method override": header("X-HTTP-Method-Override: POST"),
    "fat GET": header("Content-Length: 6", body=b"q=evil"),
    "other host, same path": header(host=EVIL),
    "Host with a port": header(host=f"{V}:1337"),
    "absolute form against Host": header(target=f"http://{V}/%", host=EVIL),
    "Cookie reflected": header("Cookie: name=evil"),
    "Authorization reflected": header("Authorization: Basic evil"),
    "Accept-Encoding reflected": header("Accept-Encoding: evil"),
    "meta character": header("X-Meta: a\x01b"),
    "header oversize": header(*[f"X-{i}: {'a' * 3000}" for i in range(5)]),
    "duplicate Host": header(f"Host: {EVIL}"),
    "HEAD, then GET": header(method="HEAD"),
    "POST, then GET": header("Content-Length: 6", method="POST", body=b"q=evil"),
    "#": header(target="/%#evil"),
    "/x/../p": header(target="/x/../%"),
    "//p": header(target="/" + "/%"),
    "%2d": header(target="/%%2devil"),
    "%3f": header(target="/%%3fevil"),
    "Range, then all": header("Range: bytes=0-1"),
}

NGINX = """proxy_cache_path %DIR%/c keys_zone=peer:1m levels=1;"""
PEER = """location / { proxy_cache peer; proxy_set_header Host $http_host;
                       proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass http://%ORIGIN%; }"""


def clean(path, r):
    return r.status == 200 and r.complete and r.body == (
        f"GET {path}\nhost: {V}\nbody: \n" + "".join(f"{n}: \n" for n in REFLECTED)).encode()


REFLECTED = ("x-forwarded-host", "x-original-url", "cookie", "authorization")

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        if sum(len(v) for _, v in req.headers) > 12_000 or any("\x01" in v for _, v in req.headers):
            return Reply(b"bad request", 400)
        if req.get("X-HTTP-Method-Override"):
            return Reply(b"wrong method", 404, cc="max-age=60")
        if req.get("Range"):
            return Reply(b"GE", 206, cc="max-age=60", headers=[("Content-Range", "bytes 0-1/100")])
        coding = req.get("Accept-Encoding")
        said = "".join(f"{n}: {req.get(n) or ''}\n" for n in REFLECTED)
        if coding == "evil":
            said += "coding: evil\n"
        return Reply(f"{req.method} {req.target}\nhost: {req.get('Host')}\nbody: {req.body.decode()}\n{said}".encode(),
                     cc="max-age=60")

    ours = t.nginx(origin, "proxy_set_header Host $http_host;", server="server_name _;")
    peer = t.nginx(origin, http=NGINX, only=PEER, show=False, zone=None, status=False, server="server_name _;")

    def probe(ng, i, attack):
        path = f"/p{i}"
        raw(ng, attack(path))
        if ng is ours:
            ng.quiet()
        else:
            time.sleep(0.02)
        return [ng.get(path, host=V) for _ in range(2)]

    table, poisoned = [], {ours: 0, peer: 0}
    for i, (name, attack) in enumerate(PROBES.items()):
        said = []
        for ng in ours, peer:
            rs = probe(ng, i, attack)
            good = all(clean(f"/p{i}", r) for r in rs)
            poisoned[ng] += not good
            said.append("clean" if good else "POISONED")
            if ng is ours:
                case(good, f"{name}: the victim gets his own") or [note(f"  {r} {r.body}") for r in rs]
        table.append(f"{name:28} {said[0]:9} {said[1]}")
    note(f"{'probe':28} {'Strata':9} nginx proxy_cache")
    for line in table:
        note(line)
    note(f"{'poisoned':28} {poisoned[ours]:<9} {poisoned[peer]} of {len(PROBES)}")
    is_(len(PROBES), 21, "21 probes")
    is_(poisoned[ours], 0, "Strata: none of them poisons")
    at_least(poisoned[peer], 8, "the probes are sharp enough to poison a cache that has no defence")
