#!/usr/bin/env python3
"""Subrequests are served from and fill the cache; a page of many parts on cold and warm keys."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    frag = text("frag", 3000)
    names = [f"/f{i}" for i in range(8)]
    page = b"<html>" + b"".join(b'[<!--# include virtual="%s" -->]' % n.encode() for n in names) \
        + b'<!--# include virtual="/f0" -->' * 5 + b'<!--# include virtual="/private" --></html>'
    want = b"<html>" + b"".join(b"[%s%s]" % (n.encode(), frag) for n in names) \
        + (b"/f0" + frag) * 5 + b"mine</html>"

    @origin.route("/*")
    def _(req):
        time.sleep(0.05)
        return Reply(req.path.encode() + frag, cc="max-age=60")

    origin.reply("/page", Reply(page, cc="max-age=60", type="text/html"))
    origin.reply("/nopage", Reply(page, cc="private", type="text/html"))
    origin.reply("/private", Reply(b"mine", cc="private"))
    origin.reply("/wait", Reply(b'<!--# include virtual="/f1" wait="yes" --><!--# set var="a" value="b" -->'
                                b'<!--# echo var="a" -->', cc="max-age=60", type="text/html"))
    ng = t.nginx(origin, "ssi on;", h2=True)
    for i in range(4):
        r = ng.fill("/page")
        is_((r.status, r.complete, r.body == want), (200, True, True), f"page {i} ({r.cache})")
    is_({origin.count(n) for n in names}, {1}, "each part fetched once")
    for i in range(3):
        is_(ng.fill("/nopage").body == want, True, f"a page that is not storable {i}")
        is_(ng.fill("/wait").body, b"/f1" + frag + b"b", f"wait {i}")
    is_(ng.curl("/page", h2=True).body == want, True, "over h2")
    rs = ng.swarm([Client("/page") for _ in range(30)])
    is_({r.body == want for r in rs}, {True}, "30 at once, warm")
    ng2 = t.nginx(origin, "ssi on;")
    origin.forget()
    rs = ng2.swarm([Client("/page") for _ in range(30)])
    is_({(r.status, r.body == want) for r in rs}, {(200, True)}, "30 at once, cold")
    is_({origin.count(n) for n in names}, {1}, "each part fetched once again")
    is_({r.error for r in ng2.swarm([Client("/page", abort=2000) for _ in range(10)])}, {"aborted"},
        "10 that leave")
