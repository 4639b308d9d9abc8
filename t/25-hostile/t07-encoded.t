#!/usr/bin/env python3
"""T-07: nothing is decoded before it is joined; a fragment in the target is refused."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

CODES = ["%3f", "%3F", "%23", "%2f", "%2F", "%00", "%0a", "%0d%0a", "%26", "%3d", "%3b", "%25", "%2525", "%253f", "%7c",
         "%20", "+", "%2b", "%09", "%5c", "%5C", "%c0%ae", "%u0026", "%", "%2", "%g0", "\x01", "\x7f", "\x80", "|"]

with scenario() as t:
    origin = t.origin()
    mirror(origin)
    ng = t.nginx(origin)

    def sent(target):
        """What the origin is told for a target: arguments are sorted, nothing else."""
        path, mark, args = target.partition("?")
        return path + mark + "&".join(sorted(args.split("&"), key=lambda a: a.partition("=")[0])) if args else path

    victims = ["/p", "/p?", "/p?a=1", "/p?a=1&b=2", "/p/x", "/p?a", "/p?a="]
    for code in CODES:
        targets = [f"/p{code}", f"/p{code}a=1", f"/p{code}x", f"{code}p", f"/{code}/p", f"/p?a=1{code}b=2", f"/p?a{code}1",
                   f"/p?{code}", f"/p?a=1&{code}b=2", f"/p?a=1{code}"]
        wrong = []
        for target in targets:
            r = raw(ng, head(target, "Connection: close"))
            ng.quiet()
            if r.status == 200 and r.body.split(b"\n")[0].decode("latin-1") != f"GET {sent(target)}":
                wrong.append((target, r.body))
            elif r.status not in (200, 400, 404):
                wrong.append((target, str(r)))
        for victim in victims:
            r = ng.get(victim)
            if r.body.split(b"\n")[0].decode("latin-1") != f"GET {sent(victim)}":
                wrong.append((victim, r.body))
        cases(wrong, len(targets), f"{code!r}: each target is answered as it was sent, and so are the victims")

    for target in "/p#", "/p#x", "/p?a#b", "/#/p", "/p%00#", "http://localhost/p#x", "/a#/../p", "/p#?a=1":
        origin.forget()
        r = raw(ng, head(target, "Connection: close"))
        case(r.status == 400 and not origin.requests, f"{target}: refused ({r.status})")
