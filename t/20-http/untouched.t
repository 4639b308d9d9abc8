#!/usr/bin/env python3
"""A GET with a body, Upgrade, text/event-stream and POST take nginx's ordinary path."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()

    @origin.route("/echo")
    def _(req):
        return Reply(b"%s %s" % (req.method.encode(), req.body), cc="max-age=60")

    @origin.route("/events")
    def _(req):
        req.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                 "Cache-Control: max-age=60\r\nConnection: close\r\n\r\n")
        for i in range(5):
            req.send(f"data: {i}\n\n")
            time.sleep(0.1)
        req.close()

    @origin.route("/ws")
    def _(req):
        if (req.get("Upgrade") or "") == "websocket":
            req.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                     "Connection: Upgrade\r\n\r\n")
            data = req.sock.recv(100)
            req.send(b"echo " + data)
            req.close()
        return Reply(b"no upgrade", cc="max-age=60")

    ng = t.nginx(origin, locations="""
        location /ws { strata_cache z; proxy_pass http://%ORIGIN%; proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";
            add_header X-Status $strata_status always; add_header X-Reason $strata_reason always; }
        location /events { strata_cache z; proxy_pass http://%ORIGIN%; proxy_buffering off;
            add_header X-Status $strata_status always; add_header X-Reason $strata_reason always; }""")

    # a GET with a body
    for i in 1, 2:
        r = ng.get("/echo", body=b"query %d" % i)
        is_((r.body, r.cache, r.why), (b"GET query %d" % i, "PASS", "body"), f"GET with a body {i}")
    r = ng.get("/echo", headers={"Transfer-Encoding": "chunked"}, body=b"3\r\nabc\r\n0\r\n\r\n")
    is_((r.body, r.why), (b"GET abc", "body"), "GET with a chunked body")
    r = ng.get("/echo", headers={"Content-Length": "0"})
    is_(r.body, b"GET ", "Content-Length: 0 is no body")
    ng.quiet()
    is_(ng.get("/echo").body, b"GET ", "nothing of them is stored")

    # POST
    for i in 1, 2:
        r = ng.request("/echo", "POST", body=b"p%d" % i)
        is_((r.body, r.cache, r.why), (b"POST p%d" % i, "PASS", "method"), f"POST {i}")
    big = blob("post", 300_000)
    is_(ng.request("/echo", "POST", body=big).body, b"POST " + big, "a large POST")

    # text/event-stream
    for i in 1, 2:
        r = ng.get("/events", headers={"Accept": "text/event-stream"})
        is_((r.cache, r.why), ("PASS", "event-stream"), f"event stream {i}")
        within(r.body_ms, 80, f"event stream {i}: first event at once")
        ok(r.ms > 350 and r.body.count(b"data:") == 5, f"event stream {i}: all of them")
    is_(origin.count("/events"), 2, "each its own stream")

    # Upgrade
    for i in 1, 2:
        c = ng.conn()
        c.send(build("/ws", headers={"Connection": "Upgrade", "Upgrade": "websocket"}))
        head = c.sock.recv(4096)
        ok(head.startswith(b"HTTP/1.1 101"), f"upgrade {i}: 101")
        c.sock.sendall(b"ping")
        is_(c.sock.recv(100), b"echo ping", f"upgrade {i}: the tunnel works")
        c.close()
    is_(origin.count("/ws"), 2, "each its own tunnel")
    ng.fill("/ws")
    is_(ng.get("/ws").cache, "HIT", "the same URL without Upgrade is cached")
    at_least(ng.reasons().get("upgrade", 0), 2, "counted by reason")
