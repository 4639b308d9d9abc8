#!/usr/bin/env python3
"""
T-21: what follows a request on its connection is never taken for a request it is not, on hits
as on misses: the origin never hears of what was hidden in a body.
"""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

HIDDEN = b"GET /evil HTTP/1.1\r\nHost: localhost\r\nX-Evil: 1\r\n\r\n"
CHUNKED = b"%x\r\n%s\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)

# name, lines, version, bytes after the header, does the connection have to end
FRAMES = [
    ("length", [f"Content-Length: {len(HIDDEN)}"], "1.1", HIDDEN, False),
    ("chunked", ["Transfer-Encoding: chunked"], "1.1", CHUNKED, False),
    ("length, odd case", [f"cOnTent-LenGth: {len(HIDDEN)}"], "1.1", HIDDEN, False),
    ("length, expect", [f"Content-Length: {len(HIDDEN)}", "Expect: 100-continue"], "1.1", HIDDEN, False),
    ("length, HTTP/1.0", [f"Content-Length: {len(HIDDEN)}", "Connection: keep-alive"], "1.0", HIDDEN, False),
    ("chunked, HTTP/1.0", ["Transfer-Encoding: chunked", "Connection: keep-alive"], "1.0", CHUNKED, True),
    ("length and chunked", ["Content-Length: 4", "Transfer-Encoding: chunked"], "1.1", CHUNKED, True),
    ("chunked and length", ["Transfer-Encoding: chunked", f"Content-Length: {len(CHUNKED)}"], "1.1", CHUNKED, True),
    ("two lengths", ["Content-Length: 0", f"Content-Length: {len(HIDDEN)}"], "1.1", HIDDEN, True),
    ("two equal lengths", [f"Content-Length: {len(HIDDEN)}"] * 2, "1.1", HIDDEN, True),
    ("a list of lengths", [f"Content-Length: {len(HIDDEN)}, {len(HIDDEN)}"], "1.1", HIDDEN, True),
    ("a signed length", [f"Content-Length: +{len(HIDDEN)}"], "1.1", HIDDEN, True),
    ("a negative length", ["Content-Length: -1"], "1.1", HIDDEN, True),
    ("a huge length", ["Content-Length: 18446744073709551616"], "1.1", HIDDEN, True),
    ("a hex length", [f"Content-Length: 0x{len(HIDDEN):x}"], "1.1", HIDDEN, True),
    ("two codings", ["Transfer-Encoding: chunked, identity"], "1.1", CHUNKED, True),
    ("coding twice", ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], "1.1", CHUNKED, True),
    ("an odd coding", ["Transfer-Encoding: xchunked"], "1.1", CHUNKED, True),
    ("a tab before the coding", ["Transfer-Encoding:\tchunked"], "1.1", CHUNKED, None),
    ("a vertical tab before it", ["Transfer-Encoding: \x0bchunked"], "1.1", CHUNKED, True),
    ("a space before the colon", ["Transfer-Encoding : chunked"], "1.1", CHUNKED, None),
    ("a bad chunk size", ["Transfer-Encoding: chunked"], "1.1", b"0x%x\r\n" % len(HIDDEN) + HIDDEN, True),
    ("a long chunk size", ["Transfer-Encoding: chunked"], "1.1", b"fffffffffffffffff\r\n" + HIDDEN, True),
    ("a chunk too short", ["Transfer-Encoding: chunked"], "1.1", b"1\r\n" + HIDDEN, True),
    ("bare LF chunks", ["Transfer-Encoding: chunked"], "1.1", CHUNKED.replace(b"\r\n0", b"\n0"), None),
    ("upgrade h2c", ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"], "1.1", b"", None),
    ("upgrade websocket", ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAA"], "1.1", b"", None),
]

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        return Reply(f"{req.method} {req.target}".encode(), cc="max-age=60")

    ng = t.nginx(origin)
    ng.fill("/hit")
    for name, lines, version, body, ends in FRAMES:
        for path in "/hit", f"/miss-{FRAMES.index((name, lines, version, body, ends))}":
            for method in "GET", "HEAD":
                origin.forget()
                with ng.conn() as c:
                    c.send(head(path, *lines, method=method, version=version) + body + head("/next", "Connection: close"))
                    answers = []
                    while len(answers) < 5:
                        r = c.read(method if not answers else "GET")
                        if r.status is None:
                            break
                        answers.append((r.status, r.body))
                        if not r.keep or not r.complete:
                            break
                ng.quiet()
                heard = [r.target for r in origin.requests if "evil" in r.target or r.get("X-Evil") or r.method not in ("GET", "HEAD")]
                bodies = [b for _, b in answers]
                clean = not heard and not any(b"evil" in b for b in bodies)
                if ends is True:
                    clean = clean and b"GET /next" not in bodies
                elif ends is False:
                    clean = clean and bodies == [b"" if method == "HEAD" else f"GET {path}".encode(), b"GET /next"]
                case(clean, f"{name}, {method} {path}") or note(f"  {answers} {heard}")
        case(ng.fill("/hit").body == b"GET /hit" and ng.fill("/next").body == b"GET /next" and ng.fill("/evil").body == b"GET /evil",
             f"{name}: victims get what they ask for")
        ng.quiet()

    with ng.conn() as c:
        c.send(build("/hit", "HEAD") + build("/hit") + build("/hit", headers={"Range": "bytes=0-2"})
               + build("/next"))
        is_(c.read("HEAD").body, b"", "pipeline: HEAD")
        is_(c.read().body, b"GET /hit", "pipeline: GET")
        is_(c.read().body, b"GET", "pipeline: range")
        is_(c.read().body, b"GET /next", "pipeline: next")
    with ng.conn() as c:
        c.send(b"".join(build("/hit") for _ in range(50)))
        is_({c.read().body for _ in range(50)}, {b"GET /hit"}, "50 hits in one packet")
    with ng.conn() as c:                       # a body that comes late
        c.send(head("/hit", f"Content-Length: {len(HIDDEN)}"))
        time.sleep(0.1)
        c.send(HIDDEN + build("/next"))
        case((c.read().body, c.read().body) == (b"GET /hit", b"GET /next"), "a body that comes later than its header")
