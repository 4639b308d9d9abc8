#!/usr/bin/env python3
"""strata_vary_normalize: the origin is asked for the language and the coding that are in the key."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        said = f"{req.all('Accept-Language')} {req.all('Accept-Encoding')}".encode()
        return Reply(said, cc="max-age=60", headers=[("Vary", "Accept-Language, Accept-Encoding")])

    ng = t.nginx(origin, "strata_vary_normalize accept-language values=en,de,fr;",
                 locations="location /raw/ { strata_cache z; proxy_pass http://%ORIGIN%; }")
    rows = [("de", "de"), ("DE-at, en;q=0.9", "de"), ("fr;q=0.5, de;q=1.0", "de"), ("it", "en"), (None, "en"),
            ("de, en", "en"), ("en, de", "en"), ("fr, *;q=0.1", "fr")]
    for asked, told in rows:
        r = ng.fill("/a", headers={} if asked is None else {"Accept-Language": asked})
        is_(r.body.decode(), f"['{told}'] ['identity']", f"{asked}: {told}")
    is_(origin.count("/a"), 3, "one fetch for each language")
    for asked, told in ("gzip, deflate, br, zstd", "br, gzip"), ("zstd, gzip", "gzip"), ("zstd", "identity"), ("br", "identity"):
        r = ng.fill("/raw/b", headers={"Accept-Encoding": asked, "Accept-Language": "x, y"})
        is_(r.body.decode(), f"['x, y'] ['{told}']", f"{asked}: {told}")
    for bad in "accept-language", "accept-language values=", "accept-language values=de,,en", "accept-language values=d_e", "x":
        ok("strata_vary_normalize" in t.config_error(location=f"strata_vary_normalize {bad};"), bad)
