# Copyright (C) Strata contributors
# SPDX-License-Identifier: BSD-2-Clause

"""
Gateways that share a Redis.

    redis, a, b = l2.pair(t, origin, "strata_l2_fail stale;")

Their location is that of Nginx(), with strata_l2 on; redis is a redis_server.Server.
"""

import json
import re

import client
import tap
from redis_server import Server

KEY = re.compile(rb"strata:\{([0-9a-f]{32})\}(.*)")


def server(t, *options, **kw):
    return t.keep(Server([str(o) for o in options], **kw))


def gateways(t, origin, redis, location="", n=2, http="", name="r", **kw):
    """
    n gateways with one configuration; redis may be a URL with options.  Deadlines are
    long, unless location says more, as a machine full of tests is slow now and then.
    """
    url = redis if isinstance(redis, str) else f"{redis.url} timeout=500ms"
    if "strata_l2_timeout" not in location:
        location += " strata_l2_timeout 250ms;"
    return [t.nginx(origin, f"strata_l2 {name}; {location}",
                    http=f"strata_redis {name} {url}; {http}", **kw)
            for _ in range(n)]


def pair(t, origin, location="", *, options=(), **kw):
    redis = server(t, *options)
    return [redis, *gateways(t, origin, redis, location, **kw)]


def keys(redis):
    """{what: [full key]} with what "", ":v", ":p", ":t", ":l"."""
    found = {}
    for k in redis("KEYS", "strata:*"):
        m = KEY.fullmatch(k)
        found.setdefault(m[2].decode()[:2], []).append(k)
    return found


def stored(redis, n=1, seconds=5):
    """Waits until n URLs have a primary."""
    return tap.wait_until(lambda: len(keys(redis).get("", [])) >= n, seconds)


def instance(ng, name="r"):
    """What the status page says of a Redis instance, in the worker that answers."""
    r = client.request(ng.port, "/-status", timeout=5 * tap.SLOW)
    return json.loads(r.body)["redis"][name]


def ready(ng, name="r", seconds=5):
    """Waits until each worker has a connection."""
    for pid in ng.workers():
        c = ng.conn_to(pid)
        tap.wait_until(lambda: json.loads(c.get("/-status").body)
                       ["redis"][name]["connections"] > 0, seconds)
        c.close()
