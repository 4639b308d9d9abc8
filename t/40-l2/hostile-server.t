#!/usr/bin/env python3
"""T-42, T-43: what calls itself Redis says anything: no worker dies, none stalls, memory is bounded."""
import pathlib, socket, struct, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
from probe import Fake, Probe, Stall, bulk

KB, MB = 1 << 10, 1 << 20


def pour(data, times, then=b""):
    """More than anybody should read."""
    def talk(s):
        try:
            for _ in range(times):
                s.sendall(data)
            s.sendall(then)
        except OSError:
            pass
    return talk


def drip(data, pause):
    def talk(s):
        for b in data:
            s.sendall(bytes([b]))
            time.sleep(pause)
    return talk


def say_and_close(data):
    def talk(s):
        s.sendall(data)
        return "close"
    return talk


def say_and_reset(data):
    def talk(s):
        s.sendall(data)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return "close"
    return talk


# name: what is said to GET k (bytes, or a function of the socket), what comes of the call
CUT, LATE, FINE = {"error"}, {"timeout"}, {"ok"}
GET = {
    # more, or other, than was asked for
    "two replies": (b"+a\r\n+b\r\n", FINE),
    "a reply and a half": (b"$1\r\na\r\n$5\r\nab", FINE),
    "a reply and a byte": (b"+a\r\n\r", FINE),
    "a reply and 64 KB": (b"+a\r\n" + b"+b\r\n" * 16384, FINE),
    "1000 replies": (b":1\r\n" * 1000, FINE),
    "an error too many": (b"$1\r\na\r\n-ERR x\r\n", FINE),
    "8 MB of replies": (pour(b":1\r\n" * 16384, 128), FINE),

    # arrays
    "*2147483647": (b"*2147483647\r\n", CUT),
    "*2147483648": (b"*2147483648\r\n", CUT),
    "*4294967295": (b"*4294967295\r\n", CUT),
    "*9223372036854775807": (b"*9223372036854775807\r\n", CUT),
    "*18446744073709551615": (b"*18446744073709551615\r\n", CUT),
    "*100000000 and closed": (say_and_close(b"*100000000\r\n"), CUT),
    "*-2": (b"*-2\r\n", CUT),
    "*-2147483648": (b"*-2147483648\r\n", CUT),
    "* without a number": (b"*\r\n", CUT),
    "*x": (b"*x\r\n", CUT),
    "*1.5": (b"*1.5\r\n", CUT),
    "*+1": (b"*+1\r\n+a\r\n", CUT),
    "*01": (b"*01\r\n+a\r\n", CUT),
    "nested 7 deep": (b"*1\r\n" * 7 + b"+a\r\n", CUT),
    "nested 9 deep": (b"*1\r\n" * 9 + b"+a\r\n", CUT),
    "nested without end": (pour(b"*1\r\n" * 16384, 64), CUT),
    "1000 and 1100 more": (b"*1000\r\n" + b"*1100\r\n", CUT),
    "2000 empty arrays": (b"*2000\r\n" + b"*0\r\n" * 2000, FINE),
    "2049 values": (b"*2049\r\n" + b":1\r\n" * 2049, CUT),
    "an array that stops": (b"*2\r\n+a\r\n", LATE),
    "an array cut off": (say_and_close(b"*2\r\n+a\r\n"), CUT),

    # strings
    "$9223372036854775807": (b"$9223372036854775807\r\n", CUT),
    "$18446744073709551615": (b"$18446744073709551615\r\n", CUT),
    "$99999999999999999999999": (b"$99999999999999999999999\r\n", CUT),
    "$536870912": (b"$536870912\r\n", CUT),
    "512 MB, and they come": (pour(b"x" * MB, 64), CUT),
    "$65537": (b"$65537\r\n", CUT),
    "$65536, all of it": (bulk(b"x" * 65536), FINE),
    "$-2": (b"$-2\r\n", CUT),
    "$-9223372036854775808": (b"$-9223372036854775808\r\n", CUT),
    "$ without a number": (b"$\r\n", CUT),
    "$ and no end": (b"$1111111111111111111111111111111111", CUT),
    "$5 and LF": (b"$5\nhello\n", CUT),
    "$5, 6 bytes": (b"$5\r\nhelloo\r\n", CUT),
    "$5, 4 bytes": (b"$5\r\nhell\r\n\r\n", CUT),
    "$0, no CR LF": (b"$0\r\nab", CUT),
    "a string that stops": (b"$60000\r\n" + b"x" * 50000, LATE),
    "a string cut off": (say_and_close(b"$60000\r\n" + b"x" * 50000), CUT),
    "a string reset": (say_and_reset(b"$60000\r\n" + b"x" * 50000), CUT),

    # lines
    "a status without end": (pour(b"+" + b"x" * 65535, 256), CUT),
    "an error without end": (pour(b"-" + b"x" * 65535, 256), CUT),
    "a number without end": (pour(b":1" + b"1" * 65535, 64), CUT),
    "a line of 4 KB": (b"+" + b"x" * 4094 + b"\r\n", FINE),
    "a line of 5 KB": (b"+" + b"x" * 5000 + b"\r\n", CUT),
    "a line that stops": (b"+O", LATE),
    "only CR": (b"+OK\r" * 10, LATE),
    "only LF": (b"+OK\n" * 10, LATE),
    "a number too big": (b":9223372036854775808\r\n", CUT),
    "a number with letters": (b":12a\r\n", CUT),
    "an empty number": (b":\r\n", CUT),
    "control bytes": (b"-\x1b[2J\x00\x07\r\n", FINE),
    "an error of 4 KB": (b"-" + b"\xff" * 4093 + b"\r\n", FINE),

    # not this protocol
    "RESP3 map": (b"%1\r\n+a\r\n+b\r\n", CUT),
    "RESP3 set": (b"~1\r\n+a\r\n", CUT),
    "RESP3 push": (b">2\r\n+message\r\n+x\r\n", CUT),
    "RESP3 attribute": (b"|1\r\n+a\r\n+b\r\n+c\r\n", CUT),
    "RESP3 nil": (b"_\r\n", CUT),
    "RESP3 bool": (b"#t\r\n", CUT),
    "RESP3 double": (b",1.5\r\n", CUT),
    "RESP3 big number": (b"(123456789012345678901234567890\r\n", CUT),
    "RESP3 verbatim": (b"=7\r\ntxt:abc\r\n", CUT),
    "RESP3 error": (b"!5\r\nERR x\r\n", CUT),
    "RESP3 stream": (b"$?\r\n;2\r\nab\r\n;0\r\n", CUT),
    "RESP3 in an array": (b"*2\r\n+a\r\n#t\r\n", CUT),
    "HTTP": (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", CUT),
    "an echo of the command": (b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", FINE),
    "memcached": (b"VALUE k 0 1\r\na\r\nEND\r\n", CUT),
    "binary": (bytes(range(256)) * 16, CUT),
    "NULs": (b"\0" * 70000, CUT),
    "TLS": (b"\x16\x03\x03\x00\x40" + b"\0" * 64, CUT),

    # slow
    "a byte now and then": (drip(b"$5\r\nhello\r\n", 0.05), LATE),
    "a byte now and then, in time": (drip(b"+hello\r\n", 0.005), FINE),
    "the length now and then": (drip(b"$65536\r\n", 0.005), LATE),
    "nothing": (lambda s: None, LATE),
    "closed": (lambda s: "close", CUT),
    "reset": (say_and_reset(b""), CUT),
    "half-closed": (lambda s: s.shutdown(socket.SHUT_WR), CUT),
}

# what is said instead of an answer to the log-in
HELLO = {
    "closed at once": lambda s: "close",
    "nothing": lambda s: None,
    "a PONG too many": lambda s: b"+OK\r\n+PONG\r\n+PONG\r\n",
    "strings for PONG": lambda s: bulk("OK") + bulk("PONG"),
    "numbers": lambda s: b":1\r\n:1\r\n",
    "arrays": lambda s: b"*0\r\n*0\r\n",
    "nil": lambda s: b"$-1\r\n$-1\r\n",
    "an array without end": lambda s: b"*2147483647\r\n",
    "a banner": lambda s: b"220 mail.example ESMTP\r\n",
    "a banner without end": pour(b"+" + b"x" * 65535, 64),
    "HTTP": lambda s: b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "TLS": lambda s: b"\x15\x03\x01\x00\x02\x02\x28",
    "NOAUTH": lambda s: b"+OK\r\n-NOAUTH Authentication required.\r\n",
    "DENIED": say_and_close(b"-DENIED Redis is running in protected mode\r\n"),
    "no more clients": say_and_close(b"-ERR max number of clients reached\r\n"),
    "an error with control bytes": lambda s: b"+OK\r\n-ERR \x1b[31m\x00\xff%s%n\r\n",
    "LOADING": lambda s: b"+OK\r\n-LOADING x\r\n",
    "drip": drip(b"+OK\r\n+PONG\r\n", 0.1),
}

with scenario(300, alone=True) as t:
    say = [None]

    def script(s, cmd, hello=None):
        if hello:
            return hello(s) if cmd[0] == b"CLIENT" else None
        if cmd[0] == b"PING":
            return b"+PONG\r\n"
        if cmd[0] in (b"CLIENT", b"SET"):
            return b"+OK\r\n"
        what = say[0]
        return what(s) if callable(what) else what

    fake = t.keep(Fake(script, login=False))
    options = "pool=1 reconnect=5ms,10ms connect_timeout=200ms"

    # those that are hostile from the first byte, when they are told to
    hostile = threading.Event()
    liars = [t.keep(Fake(lambda s, cmd, what=what: script(s, cmd, hostile.is_set() and what),
                         login=False)) for what in HELLO.values()]
    p = Probe(t, f"{fake.url} {options}",
              http="".join(f"strata_redis h{i} {x.url} {options};" for i, x in enumerate(liars)),
              location="".join(f"location = /h{i} {{ strata_probe h{i}; }}"
                               for i in range(len(liars))))
    ng = p.ng
    ok(p.up(), "up")
    pid = ng.workers()
    before = ng.rss()

    def well(path="/r", seconds=4):
        """Does it work with a server that behaves?"""
        return wait_until(lambda: p("SET", "a", "b", timeout=150, path=path).lines == ["+OK"],
                          seconds, 0.02)

    wrong, stalls = [], []
    for name, (what, want) in GET.items():
        if not well():
            wrong.append(f"{name}: not well before")
        say[0] = what
        with Stall(ng) as stall:
            a = p("GET", "k", timeout=150)
        if a.rc not in want:
            wrong.append(f"{name}: {a.rc}, want {want}")
        if not well():
            wrong.append(f"{name}: not well again")
        if stall.worst > 20 * SLOW or stall.wall > 500:
            stalls.append(f"{name}: {stall.worst:.0f} ms, {stall.wall:.0f} on the clock")
    cases(wrong, len(GET), "answers")
    cases(stalls, len(GET), "no stall over 20 ms")

    # a reply nobody asked for, while nothing is under way
    wrong, n = [], 0
    for data in (b"+OK\r\n", b"hello", b"-ERR idle\r\n", b"\0", b"*2147483647\r\n", b"$-1\r\n",
                 b">3\r\n+message\r\n+a\r\n+b\r\n", b"+" + b"x" * 100000):
        n += 1
        if not well():
            wrong.append(f"{data[:20]}: not well before")
        connects = fake.connects
        fake.say(data)
        if not wait_until(lambda: fake.connects > connects, 2):
            wrong.append(f"{data[:20]}: the connection goes on")
        if not well():
            wrong.append(f"{data[:20]}: not well again")
    cases(wrong, n, "unsolicited bytes end the connection")

    # an answer before the question, in the midst of a long command
    connects = fake.connects
    fake.stop_reading = True
    box = in_thread(lambda: p("SET", "a", size=12_000_000, timeout=1000))
    time.sleep(0.2)
    fake.say(b"+OK\r\n")
    case(box.join().rc == "error", "an answer before all of the command was sent")
    fake.stop_reading = False
    case(well(), "... and then all is well")

    # what does not fit the command is for the caller to see, who may end it
    say[0] = b":1\r\n"
    well()
    connects = fake.connects
    is_(p("GET", "k", distrust=1).lines, [":1"], "a number for a GET")
    case(wait_until(lambda: fake.connects > connects, 2), "distrust ends the connection")

    # hostile from the first byte, all at once
    wrong = [f"{name}: not well before" for i, name in enumerate(HELLO) if not well(f"/h{i}")]
    hostile.set()
    for liar in liars:
        liar.drop()
    with Stall(ng) as stall:
        time.sleep(0.35)
        for i, name in enumerate(HELLO):
            # calls end somehow
            if p("GET", "k", timeout=100, path=f"/h{i}").rc not in (
                    "refused declined", "error", "timeout", "ok", "refused busy"):
                wrong.append(f"{name}: no end")
    hostile.clear()
    for liar in liars:
        liar.drop()
    # whoever refused the log-in is asked again after 5 s
    wrong += [f"{name}: not well again" for i, name in enumerate(HELLO) if not well(f"/h{i}", 8)]
    cases(wrong, len(HELLO), "log-ins")
    case(stall.worst <= 20 * SLOW and stall.wall <= 500,
         f"no stall over 20 ms ({stall.worst:.0f} ms, {stall.wall:.0f} on the clock)")

    is_(ng.workers(), pid, "the worker lives")
    # ASan keeps 256 MB of what was freed
    at_most((ng.rss() - before) / MB, 32 if SLOW == 1 else 300, "memory grew, MB")
    unlike(ng.log(), r"[\x00-\x08\x0b-\x1f\x7f-\xff]", "no control bytes in the log")
    at_most(len(p.log()), 3 * len(GET) + 100, "lines in the log")
