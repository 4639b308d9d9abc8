# Copyright (C) Strata contributors
# SPDX-License-Identifier: BSD-2-Clause

"""
Gateways that share an invalidation log.

    redis, a, b = invlog.pair(t, origin, "strata_coherence stale;", lease="1s")

Their stream is "log"; all have a lease when they are returned.
"""

import tap
import l2


def node(t, origin, url, location="", lease="2s", http="", events="", **kw):
    return t.nginx(origin, f"strata_purge on; {location}",
                   http=f"""strata_redis r {url} timeout=500ms;
                            strata_events redis=r stream=log lease={lease} {events}; {http}""", **kw)


def leased(ng, seconds=10):
    tap.wait_until(lambda: ng.status()["log"]["lease_ms"] > 0, seconds)
    return ng


def pair(t, origin, location="", *, options=(), n=2, **kw):
    redis = l2.server(t, *options)
    nodes = [node(t, origin, redis.url, location, **kw) for _ in range(n)]
    for ng in nodes:
        leased(ng)
    return [redis, *nodes]


def caught_up(ng, sequence, seconds=5):
    return tap.wait_until(lambda: ng.status()["log"]["sequence"] >= sequence, seconds)
