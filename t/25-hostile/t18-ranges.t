#!/usr/bin/env python3
"""
T-18: whatever Range says, the answer is a slice of the entry, the whole, or 416; several ranges
do not amplify; a 206 is never stored as a 200.
"""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

import re

BIG = 2 ** 63 - 1
SIZES = (0, 1, 10_000)


def strings(random):
    """200 values of Range."""
    edge = [0, 1, 2, 9_998, 9_999, 10_000, 10_001, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 63 - 2, BIG, 2 ** 63, 2 ** 64 - 1,
            2 ** 64, 10 ** 30]
    yield from (f"bytes={a}-" for a in edge)
    yield from (f"bytes=-{a}" for a in edge)
    yield from (f"bytes={a}-{b}" for a, b in zip(edge, edge[1:] + edge[:1]))
    yield from (f"bytes=0-{a},-{a}" for a in edge)
    yield from (f"bytes={a}-,-{a}" for a in edge)
    yield from ("bytes=", "bytes", "=", "bytes=-", "bytes=--5", "bytes=5-4", "bytes=a-b", "bytes=0-5x", "bytes=0x1-2", "bytes=+1-2",
                "bytes= 0-5", "bytes=0 -5", "bytes=0- 5", "bytes=0-5 ", "bytes = 0-5", "Bytes=0-5", "BYTES=0-5", "items=0-5", "bytes 0-5",
                "bytes=0-5;6-7", "bytes=,", "bytes=,0-5", "bytes=0-5,", "bytes=,,0-5,,", "bytes=0-5,a", "bytes=0-5,6", "bytes=0-,0-",
                "bytes=0-0,0-0,0-0", "bytes=0-9,5-14", "bytes=9-0,0-9", "bytes=-1,-2,-3", "bytes=0-18446744073709551614",
                "bytes=-9223372036854775808", "bytes=-18446744073709551616", "bytes=18446744073709551615-", "bytes=1e3-",
                "bytes=0-9,20-29", "bytes=0-9,20-29,40-49,60-69", "bytes=0-9\t,\t20-29", "bytes=\x80-", "bytes=-\xff", "none")
    yield "bytes=" + ",".join(f"{i}-{i}" for i in range(1000))
    yield "bytes=" + ",".join("0-" for _ in range(1000))
    yield "bytes=" + ",".join(f"{i}-" for i in range(1300))
    yield "bytes=" + "9" * 4000 + "-"
    for _ in range(80):
        yield "bytes=" + ",".join(random.choice([f"{random.randrange(12_000)}-{random.randrange(12_000)}", f"-{random.randrange(12_000)}",
                                                 f"{random.randrange(12_000)}-"]) for _ in range(random.randrange(1, 6)))


def slices(r, body):
    """All of it is of the body it says it is of."""
    kind = r.get("Content-Type") or ""
    if not kind.startswith("multipart/byteranges"):
        found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", r.get("Content-Range") or "")
        return bool(found) and int(found[3]) == len(body) and r.body == body[int(found[1]):int(found[2]) + 1]
    mark = b"--" + kind.partition("boundary=")[2].encode()
    parts = r.body.split(b"\r\n" + mark)
    if not r.body.startswith(b"\r\n" + mark) or not parts[-1].startswith(b"--"):
        return False
    for part in parts[1:-1]:
        top, _, data = part.partition(b"\r\n\r\n")
        found = re.search(rb"Content-Range: bytes (\d+)-(\d+)/(\d+)", top)
        if not found or data != body[int(found[1]):int(found[2]) + 1]:
            return False
    return True


with scenario(120) as t:
    origin = t.origin()
    bodies = {size: blob("ranges", size) for size in SIZES}
    for size, body in bodies.items():
        origin.reply(f"/{size}", Reply(body, cc="max-age=60", headers=[("ETag", '"r"'), ("Last-Modified", "Tue, 15 Nov 2022 12:45:26 GMT")]))
        origin.reply(f"/cold{size}", Reply(body, cc="max-age=60", headers=[("ETag", '"r"')]))
    ng = t.nginx(origin)
    values = list(strings(rnd()))
    at_least(len(values), 200, "values of Range")

    for size, body in bodies.items():
        ng.fill(f"/{size}")
        wrong, most = [], 0
        with ng.conn() as c:
            for value in values:
                c.send(head(f"/{size}", f"Range: {value}"))
                r = c.read()
                good = r.complete and (r.status == 200 and r.body == body or r.status == 206 and slices(r, body)
                                       or r.status == 416 and r.get("Content-Range") == f"bytes */{size}")
                if not good:
                    wrong.append((value[:60], str(r), r.get("Content-Range")))
                if not r.keep:
                    c.close()
                    c.__init__(ng.port)
                most = max(most, len(r.body))
        cases(wrong, len(values), f"{size} bytes: a slice, the whole, or 416")
        at_most(most, size * 3 + 40_000, f"{size} bytes: the longest answer")

    # on a cold key: the origin is asked for the whole
    wrong = []
    for i, value in enumerate(values[:60] + values[-60:]):
        path = f"/x{i}"
        origin.reply(path, Reply(bodies[10_000], cc="max-age=60"))
        raw(ng, head(path, f"Range: {value}", f'If-Range: "{i}"' if i % 3 == 0 else "X-A: b", "Connection: close"))
        ng.quiet()
        r = ng.get(path)
        if (r.status, r.body == bodies[10_000]) != (200, True) or any(q.get("Range") or q.get("If-Range") for q in origin.seen(path)):
            wrong.append((value[:60], str(r)))
    cases(wrong, 120, "cold: the victim gets the whole, and the origin heard of no range")

    # weak tags and others do not make a range
    for value in 'W/"r"', '"other"', "r", '"r', "*", '"r", "s"', "Tue, 15 Nov 2022 12:45:25 GMT", "Wed, 16 Nov 2022 12:45:26 GMT", "soon", "":
        r = ng.get("/10000", headers={"Range": "bytes=0-1", "If-Range": value})
        case(r.status == 200 and r.body == bodies[10_000] or (r.status == 206 and value == ""), f"If-Range {value!r}: whole ({r.status})")

    # 206 that nobody asked for, with what Content-Range may say
    for i, value in enumerate(("bytes 0-1/9", "bytes 0-8/9", "bytes */9", "bytes 5-4/9", f"bytes 0-{BIG}/{BIG}", "bytes 0-1/*", "junk", "",
                               "bytes 18446744073709551615-0/1", "bytes 0-8/9, bytes 0-1/9")):
        origin.reply(f"/p{i}", Reply(b"part", 206, cc="max-age=60", headers=[("Content-Range", value)]))
        ng.fill(f"/p{i}")
        origin.reply(f"/p{i}", Reply(b"the whole", cc="max-age=60"))
        r = ng.get(f"/p{i}")
        case((r.status, r.body) == (200, b"the whole"), f"206 with {value!r} is not stored")

    # a length no body has
    for size in BIG, 2 ** 63 - 2, 2 ** 62, 2 ** 40:
        origin.reply(f"/l{size}", Reply(b"short", cc="max-age=60", length=size, cut=5))
        for value in "bytes=0-1", f"bytes=-{BIG}", f"bytes={BIG - 1}-", f"bytes=0-{BIG}":
            r = raw(ng, head(f"/l{size}", f"Range: {value}", "Connection: close"))
            ok(not (r.status == 206 and r.complete and r.body not in b"short"), f"length {size}, {value}: {r}")
        ng.quiet()
        origin.reply(f"/l{size}", Reply(b"fine", cc="max-age=60"))
        r = ng.get(f"/l{size}")
        case((r.status, r.body) == (200, b"fine"), f"length {size}: nothing of it was stored")
