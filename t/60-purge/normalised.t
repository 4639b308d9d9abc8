#!/usr/bin/env python3
"""PURGE means the same URL as GET does: host, default port, order of arguments."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    origin.reply("/*", Reply(b"x", cc="max-age=60"))
    ng = t.nginx(origin, "strata_purge 1;")
    for host in "example.com", "EXAMPLE.COM", "example.com:80", "example.com.":
        ng.fill("/a?b=2&a=1", host="example.com")
        is_(ng.purge("/a?a=1&b=2", host=host).status, 200, host)
    ng.fill("/a?b=2&a=1", host="example.com")
    is_(ng.purge("/a?a=1&b=2", host="example.org").status, 404, "another host")
    is_(ng.purge("/a?a=1&b=2", host="example.com:81").status, 404, "another port")
    is_(ng.get("/a?a=1&b=2", host="example.com").cache, "HIT", "still there")
    ng.request("/h", "HEAD")
    ng.quiet()
    is_(ng.purge("/h").status, 200, "what HEAD filled")
