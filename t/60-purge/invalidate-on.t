#!/usr/bin/env python3
"""strata_invalidate_on: writes purge tags, groups, prefixes by rules; Cache-Group-Invalidation (RFC 9875)."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

import re

TAGS = {"/list": "products", "/item/1": "products, product:1", "/item/2": "products, product:2", "/news": "news",
        "/ns/a": "products", "/other": "a,b"}

with scenario() as t:
    origin = t.origin()
    answer = {}

    @origin.route("/*")
    def _(req):
        if req.method in ("GET", "HEAD"):
            tag = TAGS.get(req.path, "none")
            return Reply(b"x", cc="max-age=60", headers=[
                ("Cache-Tag", tag) if tag != "a,b" else ("Cache-Groups", f'"{tag}"')] + answer.get("get", []))
        return Reply(b"done", status=answer.get("status", 200), headers=answer.get("headers", []))

    ng = t.nginx(origin, http="strata_purge_group shop tags=products,news prefix=http|localhost|/p/;", locations=f"""
        location /write {{
            {CACHE} {PROXY}
            strata_invalidate_on POST PUT PATCH tags=product:$arg_id,news;
            strata_invalidate_on DELETE status=204,5xx group=$arg_group;
            strata_invalidate_on LOCK prefix=http|localhost|/item/ mode=invalidate;
            strata_invalidate_on UNLOCK namespace=n1;
            strata_invalidate_on COPY tags=products namespace=$arg_ns;
            strata_invalidate_on MOVE match=*/item/?| keys=http|localhost|/news|;
            location /write/none {{ {PROXY} strata_invalidate_on off; }}
            location /write/own {{ {PROXY} strata_invalidate_on POST tags=news; }}
            location /write/off {{ {PROXY} strata_cache off; }}
        }}
        location /ns/ {{ {CACHE} {PROXY} strata_namespace n1; }}
        location /quiet {{ {CACHE} {PROXY} strata_invalidate off; }}""")

    PATHS = ["/list", "/item/1", "/item/2", "/news", "/p/1", "/ns/a", "/other"]

    def fill():
        for p in PATHS:
            ng.fill(p)

    def gone():
        return [p for p in PATHS if ng.get(p).cache != "HIT"]

    def case(method, path, expected, status=200, headers=(), what=""):
        fill()
        answer.update(status=status, headers=list(headers))
        r = ng.request(path, method, body=b"x" if method not in ("GET", "HEAD") else None)
        is_(gone(), expected, f"{method} {path} {status} {what}")

    fill()
    is_(gone(), [], "all are stored")

    case("POST", "/write?id=1", ["/item/1", "/news"])
    case("PUT", "/write?id=2", ["/item/2", "/news"])
    case("PATCH", "/write", ["/news"], what="without an id")
    case("POST", "/write?id=1", ["/item/1", "/news"], 303)
    for status in 400, 404, 500:
        case("POST", "/write?id=1", [], status)
    case("GET", "/write?id=1", [])
    case("POST", "/write?id=1,products", ["/news"], what="a comma in a variable separates nothing")
    case("POST", "/write?id=" + "1" * 200, ["/news"], what="what can't be a tag")
    case("DELETE", "/write?group=shop", ["/list", "/item/1", "/item/2", "/news", "/p/1", "/ns/a"], 204)
    case("DELETE", "/write?group=shop", ["/list", "/item/1", "/item/2", "/news", "/p/1", "/ns/a"], 503)
    case("DELETE", "/write?group=shop", [], 200)
    case("DELETE", "/write?group=none", [], 204)
    case("UNLOCK", "/write", ["/ns/a"])
    case("COPY", "/write?ns=n1", ["/ns/a"])
    case("COPY", "/write?ns=n2", [])
    case("COPY", "/write", [], what="no namespace is not everywhere")
    case("MOVE", "/write", ["/item/1", "/item/2", "/news"])
    case("LOCK", "/write", ["/item/1", "/item/2"])
    case("POST", "/write/none?id=1", [])
    case("POST", "/write/own?id=1", ["/news"])
    case("POST", "/write/off?id=1", [])

    note("groups of the origin")
    group = "Cache-Group-Invalidation"
    case("POST", "/elsewhere", ["/other"], headers=[(group, '"a,b"')])
    case("POST", "/elsewhere", ["/other", "/news"][::-1], headers=[(group, '"a,b", "news"')])
    case("POST", "/elsewhere", ["/other", "/news"][::-1], headers=[(group, '"a,b"'), (group, '"news";x=1')])
    case("POST", "/elsewhere", [], headers=[(group, 'a, b')], what="not strings")
    case("POST", "/elsewhere", [], headers=[(group, '"A,B"')], what="case counts")
    case("POST", "/elsewhere", [], 500, headers=[(group, '"a,b"')], what="an error")
    case("POST", "/quiet", [], headers=[(group, '"a,b"')], what="strata_invalidate off")
    case("POST", "/ns/w", ["/ns/a"], headers=[(group, '"products"')], what="of its namespace")
    fill()
    answer["get"] = [(group, '"a,b"')]
    ng.get("/fresh"), ng.request("/fresh2", "HEAD")
    answer["get"] = []
    is_(gone(), [], "not in answers to safe methods")

    note("wrong configuration")
    for text, quoted in (("POST", "has nothing to invalidate"), ("tags=a", "has no method"),
                         ("post tags=a", '"post" in "strata_invalidate_on": not a method'),
                         ("GET tags=a", '"GET" in "strata_invalidate_on": a method that changes nothing'),
                         ("HEAD tags=a", "changes nothing"), ("POST tags=", '"tags=" in'), ("POST tags=a,,b", "empty"),
                         ("POST x=a", "unknown parameter"), ("POST tags=a mode=soft", "not a mode"),
                         ("POST tags=a status=2x", '"status=2x" in'), ("POST tags=a status=2xx,", "not a list of statuses"),
                         ("POST tags=a status=600", "not a list"), ("POST tags=a status=20,200", "not a list"),
                         ("POST group=a group=b", "duplicate parameter"),
                         ("POST tags=$none_such", "none_such"), ("", "invalid number of arguments"),
                         ("off; strata_invalidate_on POST tags=a", "is off on this level"),
                         ("POST tags=a; strata_invalidate_on off", "is duplicate")):
        like(t.config_error(location=f"strata_invalidate_on {text};"), re.escape(quoted), text)
    is_(t.config_error(http="strata_invalidate_on POST tags=a status=2xx,304,5xx mode=delete;",
                       server="strata_invalidate_on off;"), None, "in http, off in server")
