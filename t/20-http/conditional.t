#!/usr/bin/env python3
"""Conditional requests of clients are answered from the entry; If-None-Match wins."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    body = b"hello" * 100
    lm, older, newer = ("Tue, 15 Nov 2022 12:45:26 GMT", "Mon, 14 Nov 2022 12:45:26 GMT",
                        "Wed, 16 Nov 2022 12:45:26 GMT")
    origin.reply("/a", Reply(body, cc="max-age=60", headers=[("ETag", '"v1"'), ("Last-Modified", lm)]))
    origin.reply("/w", Reply(body, cc="max-age=60", headers=[("ETag", 'W/"v1"')]))
    origin.reply("/n", Reply(body, cc="max-age=60"))
    ng = t.nginx(origin)

    r = ng.fill("/a", headers={"If-None-Match": '"v1"'})
    is_((r.status, r.body), (304, b""), "a cold key: fetched whole, answered 304")
    is_(origin.last("/a").get("If-None-Match"), None, "the origin saw no validator of the client")
    is_((ng.get("/a").cache, ng.get("/a").body), ("HIT", body), "the whole is stored")
    ng.fill("/w"), ng.fill("/n")

    INM, IMS = "If-None-Match", "If-Modified-Since"
    c = t.keep(ng.conn())
    for path, headers, status in (
            ("/a", {INM: '"v1"'}, 304), ("/a", {INM: 'W/"v1"'}, 304),
            ("/a", {INM: '"v0", "v1"'}, 304), ("/a", {INM: '"v0","v2"'}, 200),
            ("/a", {INM: "*"}, 304), ("/a", {INM: '"v2"'}, 200),
            ("/a", {INM: '"v1'}, 200), ("/a", {INM: ""}, None),
            ("/a", {IMS: lm}, 304), ("/a", {IMS: newer}, None), ("/a", {IMS: older}, 200),
            ("/a", {IMS: "yesterday"}, 200),
            ("/a", {INM: '"v2"', IMS: lm}, 200),      # RFC 9110, 13.2.2
            ("/a", {INM: '"v1"', IMS: older}, 304),
            ("/w", {INM: '"v1"'}, 304), ("/w", {INM: 'W/"v1"'}, 304), ("/w", {INM: '"v2"'}, 200),
            ("/n", {INM: '"v1"'}, 200), ("/n", {IMS: lm}, None),
            ("/a", {"If-Match": '"v1"'}, 200), ("/a", {"If-Match": '"v2"'}, None),
            ("/a", {"If-Unmodified-Since": older}, None)):
        r = c.get(path, headers=headers)
        if status is None:
            ok(r.status in (200, 304, 412), f"{path} {headers}: {r.status}")
        else:
            is_(r.status, status, f"{path} {headers}")
        if r.status == 304:
            is_(r.body, b"", "no body")
            ok(r.get("ETag") or path == "/n", "304 has the ETag")
        elif r.status == 200:
            is_(r.body, body, "whole body")
    r = c.request("/a", "HEAD", headers={INM: '"v1"'})
    is_(r.status, 304, "HEAD")
    is_(origin.count("/a"), 1, "one fetch")
