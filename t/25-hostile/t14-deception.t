#!/usr/bin/env python3
"""T-14: a private page stays private under any name that looks static."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

SUFFIXES = """/x.css /x.js /x.png /x.ico /x.woff2 /x.svg /x.avif /robots.txt /favicon.ico /.css /x.css?v=1 %0ax.css %0Ax.css
%0d%0ax.css ;x.css ;a=b;x.css %3bx.css %2fx.css %2Fx.png %23x.css %3fx.css %3Fx.js %00.css %00x.css %09x.css %20.css
%26x.css %5cx.css /..%2fx.css /%2e%2e/x.css /%2e%2e%2fx.css /./x.css //x.css /x.css/ /x.css%00 /x.CSS /x.css.
/x.css;jsessionid=1 /static/..%2f..%2f /assets/%252e%252e/x.js ,x.css !x.css ~x.css /x.css%3f.html""".split()
POLICIES = {"private": "private, max-age=0", "nothing": None, "no-store": "no-store", "session cookie": "max-age=60"}

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        who = req.get("X-User") or "nobody"
        policy = next((p for p in POLICIES if p[:3] == req.path[1:4]), None)
        return Reply(f"account of {who}".encode(), cc=POLICIES.get(policy), headers=[("X-For", who)]
                     + ([("Set-Cookie", f"sid={who}")] if policy == "session cookie" else []))

    ng = t.nginx(origin)
    at_least(len(SUFFIXES), 40, "suffixes")
    for policy in POLICIES:
        wrong, n = [], 0
        for suffix in SUFFIXES:
            target = f"/{policy[:3]}/account{suffix}"
            n += 1
            ng.fill(target, headers={"X-User": "alice"})
            for headers in {"X-User": "mallory"}, {}:
                r = ng.fill(target, headers=headers)
                who = headers.get("X-User", "nobody")
                if r.status != 400 and (r.body != f"account of {who}".encode() or r.get("X-For") != who):
                    wrong.append((target, str(r), r.body))
        cases(wrong, n, f"{policy}: nobody gets another's page")

    # by credentials that nginx sees nothing is stored whatever the origin says
    origin.route("/*")(lambda req: Reply((req.get("Cookie") or req.get("Authorization") or "nobody").encode(),
                                         cc="public, max-age=60"))
    for name in "Cookie", "Authorization":
        wrong = []
        for suffix in SUFFIXES:
            ng.fill(f"/{name}{suffix}", headers={name: "secret of alice"})
            r = ng.fill(f"/{name}{suffix}")
            if r.status != 400 and r.body != b"nobody":
                wrong.append((suffix, r.body))
        cases(wrong, len(SUFFIXES), f"{name}: what its owner gets is nobody else's")
    stored = ng.count("stores")
    at_most(stored, 2 * len(SUFFIXES), "stored is only what nobody in particular got")
