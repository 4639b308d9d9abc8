#!/usr/bin/env python3
"""T-03: a method that is not the request's own does not decide what others get."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

HEADERS = ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "x-http-method-override")
METHODS = ("POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT", "NONSENSE", "")

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        over = next((req.get(n) for n in HEADERS if req.get(n) is not None), None)
        if over is None and "_method=" in req.query:
            over = req.query.partition("_method=")[2].partition("&")[0]
        if over is not None:
            status = {"POST": 404, "DELETE": 405, "PUT": 501}.get(over, 405)
            return Reply(b"wrong method", status, cc="max-age=60" if "cacheable" in req.path else None)
        return Reply(b"good", cc="max-age=60")

    ng = t.nginx(origin)
    for name in HEADERS:
        for method in METHODS:
            for kind in "plain", "cacheable":
                path = f"/{kind}-{name}-{method}"
                ng.fill(path, headers={name: method})
                r = ng.get(path)
                case((r.status, r.body) == (200, b"good"), f"{name}: {method}, an error that is {kind}")
    for method in METHODS:
        path = f"/p-{method}"
        ng.fill(f"{path}?_method={method}")
        for target in path, path + "?", path + "?a=1", path + "?_Method=" + method:
            r = ng.fill(target)
            case((r.status, r.body) == (200, b"good"), f"_method={method}: {target}")
    for method in "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get", "Get", "GETT", "HEAD":
        path = f"/m-{method}"
        ng.fill(path, method=method)
        r = ng.get(path)
        case((r.status, r.body) == (200, b"good"), f"a real {method} first")
