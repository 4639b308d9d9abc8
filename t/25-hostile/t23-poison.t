#!/usr/bin/env python3
"""
T-23: no byte of freed or fresh memory is in a response.  Chunks of the zone are filled with
0xa5 when they are freed, and malloc() is told to do the like in the workers.
"""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

MODULE = special("odd") if BINARY == "/usr/sbin/nginx" else None   # else ASan sees it
FREED, FRESH = b"\xa5" * 4, b"\x5a" * 8        # malloc() fills with the complement

with scenario(90) as t:
    origin = t.origin()

    def body_of(path, size):
        return (path.encode() * (size // len(path) + 1))[:size]

    @origin.route("/*")
    def _(req):
        size = int(req.path.rpartition("-")[2])
        n = size % 40
        how = req.path.split("/")[1]
        headers = [("ETag", f'"{req.path}"')] + [("Vary", "X-V")] * (how != "held") + [(f"X-{i}", str(i) * (i + 1)) for i in range(n)]
        if how == "reval" and req.get("If-None-Match"):
            return Reply(status=304, headers=headers[:-1] + [("X-New", "n" * (n + 1))])
        if how == "cut":
            return Reply(body_of(req.path, size), cc="max-age=60", headers=headers, cut=size // 2)
        return Reply(body_of(req.path, size), cc="private" if how == "private" else "no-cache" if how == "reval" else "max-age=60",
                     headers=headers, chunked=how == "chunked", status=404 if how == "error" else 200,
                     drip=(size // 3 + 1, 0.001) if how == "drip" else None)

    ng = t.nginx(origin, "strata_purge 1; strata_grace 10s;", module=MODULE, zone="z 2m", environ={"MALLOC_PERTURB_": "165"},
                 socket="sndbuf=16k")          # so that readers hold their entries for a while
    random = rnd()
    sizes = [1, 7, 100, 900, 1000, 1023, 1024, 1025, 2047, 2048, 2049, 4000, 10_000, 60_000, 130_000]
    kinds = ["plain", "held", "chunked", "drip", "reval", "private", "error", "cut"]
    forms = [({}, "GET"), ({"Range": "bytes=1-"}, "GET"), ({"Range": "bytes=-5"}, "GET"), ({}, "HEAD"), ({"X-V": "1"}, "GET"),
             ({"If-None-Match": '"x"'}, "GET"), ({"Range": "bytes=0-1,4-5"}, "GET"), ({}, "PURGE"), ({"Accept-Encoding": "gzip"}, "GET")]
    wrong, n, seen = [], 0, set()
    end = time.monotonic() + 8
    while time.monotonic() < end and n < 6000:
        clients, asked = [], []
        for _ in range(40):
            kind, size = random.choice(kinds), random.choice(sizes)
            headers, method = random.choice(forms)
            path = f"/{kind}/{random.randrange(60)}-{size}"
            abort = random.choice([None] * 9 + [size // 2 + 1])
            slow = (3000, 0.002) if random.random() < 0.1 and method == "GET" else None
            clients.append(Client(path, headers=headers, method=method, abort=abort, slow=slow))
            asked.append((path, size, method, headers))
        for (path, size, method, headers), r in zip(asked, ng.swarm(clients)):
            n += 1
            seen.add(r.cache)
            text_ = "".join(a + b for a, b in r.headers).encode("latin-1")
            whole = body_of(path, size)
            if FREED in r.body or FREED in text_ or FRESH in r.body or FRESH in text_:
                wrong.append((path, method, headers, "memory of nobody", str(r)))
            elif r.status in (200, 404) and method == "GET" and (r.body != whole if r.complete else not whole.startswith(r.body)):
                wrong.append((path, method, headers, "not the body", str(r)))
            elif r.status == 206 and r.complete and not (r.get("Content-Type") or "").startswith("multipart") and r.body not in whole:
                wrong.append((path, method, headers, "not a slice", str(r)))
    note(f"{n} responses, {sorted(map(str, seen))}")
    at_least(n, 1000 / SLOW, "responses")
    ok({"HIT", "MISS", "REVALIDATED", "PASS"} <= seen, "of each kind")
    at_least(ng.count("evictions"), 1, "evictions, so that chunks are used again")
    cases(wrong, n, "responses without a byte of anybody else's")

    # readers that hold what is taken from under them, while all chunks are used anew
    wrong, held = [], []
    for i in range(8):
        path = f"/held/{i}-130000"
        ng.get(path)                  # not fill(): with readers the zone never comes to rest
        c = t.keep(ng.conn(rcvbuf=4096))
        c.send(build(path))
        held.append((path, c))
    ok(wait_until(lambda: ng.count("pins")), "readers hold entries")
    for i, (path, _) in enumerate(held):
        if i % 2:
            ng.purge(path)
    before = ng.count("evictions")
    for i in range(120):
        ng.get(f"/plain/new{i}-60000")
    at_least(ng.count("evictions") - before, 30, "evictions meanwhile")
    for (path, _), r in zip(held, read_all([c for _, c in held])):
        if not r.complete or r.body != body_of(path, 130_000):
            wrong.append((path, str(r), FREED in r.body))
    cases(wrong, len(held), "who held an entry gets all of it")
