#!/usr/bin/env python3
"""T-22: fields that Connection names are dropped only where that is legal, in requests and responses."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

END_TO_END = ["Content-Length", "Content-Type", "Content-Encoding", "Content-Range", "Date", "ETag", "Cache-Control", "Vary", "Age",
              "Expires", "Last-Modified", "Host", "Set-Cookie", "Authorization", "Cookie", "Transfer-Encoding", "Connection", "Status",
              "Server", "Location", "X-Forwarded-For", "Accept-Encoding", "Range"]

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        return Reply("".join(f"{n.lower()}: {v}\n" for n, v in req.headers).encode(), cc="max-age=60", headers=[
            ("Connection", "Content-Length, Content-Type, Date, ETag, Cache-Control, Vary, X-Drop, close"),
            ("ETag", '"c"'), ("X-Drop", "1"), ("X-Stay", "1")])

    @origin.route("/of/*")
    def _(req):
        name = req.path.rpartition("/")[2]
        headers = [("Connection", f"{name}, close"), ("ETag", '"c"'), ("Vary", "X-V"), ("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT")]
        if name == "Set-Cookie":
            headers.append(("Set-Cookie", "secret=1"))
        return Reply((req.get("X-V") or "-").encode(), cc="private" if name == "Cache-Control" else "max-age=60", headers=headers, close=True)

    ng = t.nginx(origin)
    for i in range(2):
        r = ng.fill("/a", headers={"Connection": "Host, Content-Length, X-A, keep-alive", "X-A": "1"})
        case((r.status, r.complete) == (200, True), f"{i}: whole")
        case((r.get("Content-Length"), r.get("Content-Type")) == (str(len(r.body)), "text/plain"), f"{i}: length and type")
        case((r.get("X-Drop"), r.get("X-Stay")) == (None, "1"), f"{i}: the named field is dropped")
        like(r.body.decode(), "(?m)^host: ", f"{i}: the origin got a Host")
    is_(r.cache, "HIT", "that was a hit")

    # of a request: the origin still hears what makes the answer what it is
    for name in END_TO_END:
        path = f"/req-{name}"
        plain = ng.fill(path + "-plain")
        for i, value in enumerate((name, name.lower(), f"close, {name}", f"{name}, keep-alive", f",,{name},")):
            ng.fill(f"{path}-{i}", headers={"Connection": value, "X-V": "1"})
            r = ng.fill(f"{path}-{i}")
            said = {x.partition(":")[0] for x in r.body.decode().split("\n") if x}
            if not case(r.complete and r.status == 200 and {"host", "accept-encoding"} <= said
                        and r.get("Content-Length") == str(len(r.body)) and r.get("Content-Type") == plain.get("Content-Type"),
                        f"Connection: {value}"):
                note(f"  {r} {r.body}")

    # of a response: what decides about storing is heeded, what frames it is true
    for name in END_TO_END:
        a = ng.fill(f"/of/{name}", headers={"X-V": "1"})
        b = ng.fill(f"/of/{name}", headers={"X-V": "2"})
        c = ng.fill(f"/of/{name}", headers={"X-V": "1"})
        good = (a.body, b.body, c.body) == (b"1", b"2", b"1") and all(r.complete for r in (a, b, c))
        if name in ("Cache-Control", "Set-Cookie"):
            good = good and c.cache not in ("HIT", "COLLAPSED")
        case(good, f"a response that names {name}") or note(f"  {a} {b} {c}")
