#!/usr/bin/env python3
"""Arguments are sorted by name in the key, and the origin sees them as they are keyed."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        return Reply(req.target.encode(), cc="max-age=60")

    proxy = "strata_cache z; proxy_pass http://%ORIGIN%;"
    ng = t.nginx(origin, locations=f"""
        location /none/ {{ strata_key_args none; {proxy} }}
        location /allow/ {{ strata_key_args a b*; {proxy} }}
        location /deny/ {{ strata_key_args -utm_* -x; {proxy} }}
        location /unsorted/ {{ strata_key_args * sort=off; {proxy} }}
        location /empty/ {{ strata_key_args * empty=drop; {proxy} }}
        location /uri/ {{ strata_cache z; proxy_pass http://%ORIGIN%/base/; }}""")

    def same(a, b, seen, name):
        origin.forget()
        ng.fill(a)
        r = ng.fill(b)
        is_(r.cache, "HIT", f"{name}: {b} is {a}")
        is_(origin.requests[-1].target, seen, f"{name}: forwarded")

    def differ(a, b, name):
        ng.fill(a)
        r = ng.fill(b)
        is_(r.cache, "MISS", f"{name}: {b} is not {a}")

    same("/a?b=2&a=1", "/a?a=1&b=2", "/a?a=1&b=2", "sorted")
    same("/m?b=1&a=2&b=0&a=1", "/m?a=2&a=1&b=1&b=0", "/m?a=2&a=1&b=1&b=0", "equal names keep their order")
    differ("/d?a=1&a=2", "/d?a=2&a=1", "equal names")
    differ("/e?a=1&b=2", "/e?a=1%26b=2", "nothing is decoded")
    differ("/f?a=1;b=2", "/f?b=2;a=1", "; does not separate")
    differ("/g?a=1", "/g?A=1", "names have case")
    differ("/h?a", "/h?a=", "no value, empty value")
    differ("/i?a=%41", "/i?a=A", "escapes")
    differ("/k", "/k?a", "with and without")
    same("/none/a?x=1", "/none/a?x=2", "/none/a", "none")
    same("/none/b?x=1", "/none/b", "/none/b", "none, no arguments")
    same("/allow/a?z=1&b2=3&a=1", "/allow/a?a=1&b2=3&other=5", "/allow/a?a=1&b2=3", "allow list")
    differ("/allow/b?a=1", "/allow/b?a=2", "allow list: what is named counts")
    same("/deny/a?utm_source=x&p=1&x=5", "/deny/a?p=1&utm_medium=y", "/deny/a?p=1", "deny list")
    differ("/deny/b?p=1", "/deny/b?p=2", "deny list: the rest counts")
    differ("/unsorted/a?b=2&a=1", "/unsorted/a?a=1&b=2", "sort=off")
    same("/empty/a?b=&a=1", "/empty/a?a=1", "/empty/a?a=1", "empty=drop")
    same("/uri/a?b=2&a=1", "/uri/a?a=1&b=2", "/base/a?a=1&b=2", "proxy_pass with a URI")
    r = ng.fill("/a?" + "&".join(f"p{i:03}={i}" for i in range(300)))
    is_(r.status, 200, "300 arguments")
    r = ng.fill("/a?" + "x" * 7000)
    is_((r.status, len(r.body)), (200, 7003), "a long argument")
