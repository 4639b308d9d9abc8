#!/usr/bin/env python3
"""T-15: what says, or half says, that it is not for everybody or has no lifetime is not shared."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
NEVER = [                                      # header lines of a 200; a second request must ask again
    ["Cache-Control: private"], ["Cache-Control: private, max-age=60"], ["Cache-Control: max-age=60, private"],
    ["Cache-Control: PRIVATE, max-age=60"], ["Cache-Control: private=, max-age=60"], ['Cache-Control: private="", max-age=60'],
    ["Cache-Control: private , max-age=60"], ["Cache-Control: ,private,, max-age=60"], ["Cache-Control: max-age=60", "Cache-Control: private"],
    ["Cache-Control: private", "Cache-Control: max-age=60"], ["Cache-Control: no-store"], ["Cache-Control: no-store, max-age=60"],
    ["Cache-Control: No-Store, s-maxage=60"], ["Cache-Control: max-age=60", "cache-control: no-store"], ["Cache-Control:no-store,max-age=60"],
    ["Cache-Control: foo=\"bar, max-age=60\", no-store"], ['Cache-Control: a="b\\"c", no-store, max-age=60'], ["Cache-Control: no-store=1, max-age=60"],
    ["Cache-Control: no-cache"], ["Cache-Control: no-cache, max-age=60"], ["Cache-Control: max-age=60", "Cache-Control: no-cache"],
    ["Cache-Control: max-age=0"], ["Cache-Control: s-maxage=0, max-age=60"], ["Cache-Control: max-age=60, s-maxage=0"], ["Cache-Control: max-age=-1"],
    ["Cache-Control: max-age=soon"], ["Cache-Control: max-age="], ["Cache-Control: max-age"], ["Cache-Control: max-age=1e9"],
    ["Cache-Control: max-age=0x60"], ["Cache-Control: max-age=+60"], ["Cache-Control: max-age= 60"], ["Cache-Control: max-age =60"],
    ["Cache-Control: max-age=60x"], ["Cache-Control: max-age=6 0"], ["Cache-Control: max-age=60.5"], ["Cache-Control: s-maxage=x, max-age=60"],
    ["Cache-Control: max-age=60, max-age=0"], ["Cache-Control: max-age=0, max-age=60"], ["Cache-Control: max-age=60;no-store"], ["Cache-Control: \xa0max-age=60"],
    ["Cache-Control: maxage=60"], ["Cache-Control: x-max-age=60"], ["Cache-Control: public"], ["Cache-Control: immutable"], ["Cache-Control: stale-if-error=60"],
    ["Cache-Control: must-revalidate"], ["Cache-Control: "], ["Cache-Control: ,,,"], ["Cache-Control: '"], [], ["Pragma: no-cache"],
    ["Expires: 0"], ["Expires: -1"], ["Expires: "], ["Expires: soon"], [f"Expires: {DATE}"], ["Expires: Thu, 01 Jan 1970 00:00:00 GMT"],
    ["Expires: Sun, 06 Nov 2094 08:49:37"], ["Expires: Sun, 31 Feb 2094 08:49:37 GMT"], [f"Date: {DATE}", f"Expires: {DATE}"],
    ["Expires: Fri, 01 Jan 2094 00:00:00 GMT", f"Expires: {DATE}"], ["Cache-Control: max-age=60", "Age: 60"], ["Cache-Control: max-age=60", "Age: 99999999999999999999"],
    ["Cache-Control: max-age=60", f"Date: {DATE}"], ["Cache-Control: max-age=60", "Set-Cookie: id=1"], ["Cache-Control: public, max-age=60", "set-cookie: id=1"],
    ["Cache-Control: max-age=60", "Set-Cookie:"], ["Cache-Control: s-maxage=60", "Set-Cookie: a=b", "Set-Cookie: c=d"], ["Cache-Control: max-age=60", "Vary: *"],
    ["Cache-Control: max-age=60", "Vary: Accept", "Vary: *"], ["Cache-Control: max-age=60", "Vary: *, Accept"],
    ["CDN-Cache-Control: no-store", "Cache-Control: max-age=60"], ["CDN-Cache-Control: private", "Cache-Control: max-age=60"],
    ["CDN-Cache-Control: max-age=0", "Cache-Control: max-age=60"], ["CDN-Cache-Control: no-cache", "Cache-Control: max-age=60"],
    ["CDN-Cache-Control: max-age=60, no-store"], ["CDN-Cache-Control: max-age=60", "CDN-Cache-Control: no-store"],
    ['CDN-Cache-Control: max-age="60"', "Cache-Control: no-store"], ["CDN-Cache-Control: max-age=60.5", "Cache-Control: no-store"],
    ["CDN-Cache-Control: &", "Cache-Control: no-store"], ["Surrogate-Control: no-store", "Cache-Control: max-age=60"],
    ["Surrogate-Control: max-age=0", "Cache-Control: max-age=60"], ["X-Accel-Expires: 0", "Cache-Control: max-age=60"],
    ["X-Accel-Expires: 60", "Cache-Control: no-store"], ["X-Accel-Expires: @1", "Cache-Control: max-age=60"], ["X-Accel-Expires: off", "Cache-Control: max-age=60"],
]
ONCE = [                                       # is stored for everybody
    ["Cache-Control: max-age=60"], ["Cache-Control: foo, max-age=60, bar=baz"], ['Cache-Control: max-age="60"'], ["Cache-Control: MAX-AGE=60"],
    ["Cache-Control: max-age=060"], ["Cache-Control: unknown=\"no-store\", max-age=60"], ["Cache-Control: no-storex, max-age=60"],
    ["Cache-Control: max-age=0, s-maxage=60"], ["CDN-Cache-Control: max-age=60", "Cache-Control: no-store"], ["Cache-Control: max-age=99999999999999999999"],
    ["Surrogate-Control: max-age=60", "Cache-Control: no-store"], ["Cache-Control: max-age=60", "Vary: Accept"],
]

with scenario(90) as t:
    origin = t.origin()
    table = NEVER + ONCE
    count = {}

    @origin.route("/*")
    def _(req):
        count[req.path] = count.get(req.path, 0) + 1
        lines = table[int(req.path[1:].split("-")[0])]
        body = f"for {req.get('X-User')} {count[req.path]}".encode()
        req.send(("\r\n".join(["HTTP/1.1 200 OK"] + lines + [f"Content-Length: {len(body)}"]) + "\r\n\r\n").encode("latin-1") + body)
        req.close()

    ng = t.nginx(origin)
    at_least(len(NEVER), 80, "refusals")
    for i, lines in enumerate(table):
        a = ng.fill(f"/{i}", headers={"X-User": "alice"})
        b = ng.fill(f"/{i}", headers={"X-User": "bob"})
        both = ng.swarm([Client(f"/{i}-swarm", headers={"X-User": f"u{n}"}) for n in range(6)])
        shared = len({r.body for r in both}) < 6
        if i < len(NEVER):
            if not case(a.status == b.status == 200 and b.body == b"for bob 2" and not shared
                        and b.cache not in ("HIT", "STALE", "UPDATING", "COLLAPSED"), f"{lines}: not shared"):
                note(f"  {a} {b} {b.body} {shared}")
        else:
            ok(b.body == b"for alice 1", f"{lines}: shared ({b})")

    # with credentials nothing is shared, not even what may be
    for name in "Authorization", "Cookie":
        for cc in "public, max-age=60", "s-maxage=60", "max-age=60, must-revalidate":
            table.append([f"Cache-Control: {cc}"])
            path = f"/{len(table) - 1}"
            ng.fill(path, headers={"X-User": "alice", name: "alice"})
            r = ng.fill(path, headers={"X-User": "bob", name: "bob"})
            case(r.body == b"for bob 2", f"{name}, {cc}: by default not shared")
