#!/usr/bin/env python3
"""T-16: an error that a crafted request provokes is not what others get, nor does it replace what is good."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

STATUSES = (204, 206, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 406, 408, 410, 411, 413, 414, 415, 416, 417, 421, 426,
            429, 431, 451, 499, 500, 501, 502, 503, 504, 505, 507, 511, 520, 599, 999)

with scenario(90) as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        size = sum(len(n) + len(v) for n, v in req.headers)
        if size > 16384:                       # HHO: the origin takes less than the gateway
            return Reply(b"header too large", 400)
        if any(c < " " and c != "\t" for _, v in req.headers for c in v):
            return Reply(b"meta character", 400)   # HMC
        if len(req.target) > 2000:
            return Reply(b"too long", 414)
        if req.get("X-Status"):
            status = int(req.get("X-Status"))
            if status in (416, 206):
                return Reply(b"part", status, headers=[("Content-Range", "bytes 0-3/9")])
            return Reply(b"" if status == 204 else b"err", status, headers=[("Location", f"http://{EVIL}/")] if 300 <= status < 400 else [])
        if req.get("X-Bad"):
            req.send(req.get("X-Bad").encode("latin-1").decode("unicode_escape").encode("latin-1"))
            req.close()
        return Reply(b"good", cc=req.get("X-CC") or "max-age=60", headers=[("ETag", '"g"')])

    ng = t.nginx(origin, http="large_client_header_buffers 8 32k;")

    def victim(path, name):
        for _ in 1, 2:
            r = ng.fill(path)
            if r.status == 429:                # never cached, so it can't be
                break
        case((r.status, r.body) == (200, b"good"), f"{name}: the victim's answer") or note(f"  {r} {r.body}")

    for status in STATUSES:
        for sent in {"X-Status": str(status)}, {"X-Status": str(status), "Range": "bytes=0-1"}:
            path = f"/s{status}-{len(sent)}"
            ng.fill(path, headers=sent)
            victim(path, f"{status}{' with Range' * (len(sent) - 1)}")
    for n in 1, 2, 4:
        path = f"/big{n}"
        raw(ng, head(path, *[f"X-{i}: {'a' * (20000 // n)}" for i in range(n)], "Connection: close"))
        victim(path, f"20 KB of header in {n}")
    for c in [chr(x) for x in range(1, 32) if x not in (9, 10, 13)] + ["\x7f", "\x80", "\xff"]:
        path = f"/meta{ord(c)}"
        raw(ng, head(path, f"X-Meta: a{c}b", "Connection: close"))
        victim(path, f"a meta character {ord(c)}")
    raw(ng, head("/long?" + "a" * 3000, "Connection: close"))
    victim("/long", "a long target")
    for i, bad in enumerate((r"HTTP/1.1 200 OK\r\nContent-Len", r"nonsense\r\n\r\n", r"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
                             "", r"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", r"HTTP/1.1 100 Continue\r\n\r\n")):
        ng.fill(f"/bad{i}", headers={"X-Bad": bad or r"\x00"})
        victim(f"/bad{i}", f"{bad!r} from the origin")

    # what is good and stored stays
    ng.fill("/kept")
    for status in STATUSES:
        ng.fill("/kept", headers={"X-Status": str(status), "Cache-Control": "no-cache", "Pragma": "no-cache"})
        r = ng.get("/kept")
        case((r.body, r.cache) == (b"good", "HIT"), f"{status} against a stored 200")
    ng2 = t.nginx(origin, "strata_valid any 100ms; strata_valid_max 100ms; strata_grace 1h;"
                  "strata_use_stale error http_500 updating;")
    ng2.fill("/g")
    time.sleep(0.2)
    ng2.fill("/g", headers={"X-Status": "500"})
    case(ng2.get("/g").body == b"good", "a failed refresh leaves the entry")
