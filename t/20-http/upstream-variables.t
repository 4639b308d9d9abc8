#!/usr/bin/env python3
"""$upstream_http_name and $upstream_cookie_name in the request whose fetch it was, and not in those of others."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    gate = Gate()

    def reply(cc, **kw):
        return Reply(b"x", cc=cc, headers=[("X-Kind", "k1"), ("X-Hidden", "h"), ("Set-Cookie", "c=v; path=/")], **kw)

    origin.reply("/a", reply("max-age=60"))
    origin.reply("/private", reply("private"))
    origin.reply("/none", Reply(b"x", cc="max-age=60"))

    @origin.route("/shared")
    def _(req):
        gate.wait()
        return reply("max-age=60")

    ng = t.nginx(origin, "strata_set_cookie strip; strata_purge 1; proxy_hide_header X-Hidden;", server="access_log %DIR%/access.log up;",
                 http="""
        map $upstream_http_x_kind $mapped { default none; k1 first; }
        log_format up '$request_uri $upstream_http_x_kind $upstream_cookie_c';
        add_header X-Up "$upstream_http_x_kind/$upstream_http_x_hidden/$upstream_cookie_c/$mapped" always;""")
    for path in "/a", "/private":
        is_(ng.fill(path).get("X-Up"), "k1/h/v/first", f"{path}: its own fetch")
    is_(ng.get("/a").get("X-Up"), "///none", "a hit has no upstream")
    is_(ng.get("/private").get("X-Up"), "k1/h/v/first", "the ordinary path has its own")
    is_(ng.fill("/none").get("X-Up"), "///none", "a response without the fields")
    conns = [t.keep(ng.conn()) for _ in range(3)]
    for c in conns:
        c.send(build("/shared"))
    gate.arrived(1)
    wait_until(lambda: ng.count("waiters") == 2, 3)
    gate.open()
    is_(sorted(r.get("X-Up") for r in read_all(conns)), ["///none", "///none", "k1/h/v/first"], "one of three")
    log = pathlib.Path(ng.dir, "access.log")
    wait_until(lambda: log.read_text().count("/shared") == 3, 3)
    lines = log.read_text().splitlines()
    is_([x for x in lines if x.startswith("/a ")], ["/a k1 v", "/a - -"], "in the log too")
