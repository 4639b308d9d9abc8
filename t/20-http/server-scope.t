#!/usr/bin/env python3
"""Host is the client's word: servers on other ports, with other origins, never answer for each other."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin, other = t.origin(), t.origin()
    for o, name in (origin, b"one"), (other, b"two"):
        o.reply("/*", Reply(name, cc="max-age=60"))

        @o.route("/slow/*")
        def _(req, name=name):
            time.sleep(0.2)
            return Reply(name, cc="max-age=60")

    ng = t.nginx(origin, "strata_purge 1;", servers=f"""server {{ listen 127.0.0.1:%BACK%; server_name localhost;
        location / {{ strata_cache z; strata_purge 1; proxy_pass http://{other.address}; }} }}""")

    def ask(port, path="/a", **kw):
        r = request(port, path, **kw)
        ng.quiet()
        return r.body

    for path in "/a", "/b", "/c?x=1":
        for i in range(3):
            is_((ask(ng.port, path), ask(ng.back_port, path)), (b"one", b"two"), f"{path} {i}: each its own")
    for host in "localhost", "localhost:80", f"localhost:{ng.port}", f"localhost:{ng.back_port}", "any.test":
        is_((ask(ng.port, "/h", host=host), ask(ng.back_port, "/h", host=host)), (b"one", b"two"), f"Host: {host}")
    rs = ng.swarm([Client("/slow/a", port=(ng.port, ng.back_port)[i % 2]) for i in range(40)])
    is_([r.body for r in rs], [b"one", b"two"] * 20, "40 at once")
    is_((origin.count("/slow/a"), other.count("/slow/a")), (1, 1), "one fetch each")
    request(ng.back_port, "/a", "PURGE")
    is_(ng.get("/a").cache, "HIT", "PURGE of the one leaves the other's entry")
