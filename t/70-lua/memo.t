#!/usr/bin/env python3
"""What a key hook returned is its answer again for the same input, and for no other; in bounded memory."""
import pathlib, random, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

N, PAD = 5000, 1900                # more than the 8 MB there is room for

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        return Reply(b"x", cc="max-age=600")

    ng = t.nginx(origin, workers=1, http="add_header X-Key $strata_key always; large_client_header_buffers 4 8k; ",
                 level="warn", environ=FORGETFUL, only="""
        location / { strata_cache z; strata_key_identity off; proxy_pass http://%ORIGIN%;
            strata_key_by_lua_block { return { req.uri, req.args.n % 7, #req.headers["x-pad"], req.cookies.c } } }""")
    rnd = random.Random(7)
    wrong = []
    with Conn(ng.port) as conn:
        def ask(numbers, pad=PAD):
            for at in range(0, len(numbers), 20):
                part = [(n, "p" * (pad + n % 3), n % 2) for n in numbers[at:at + 20]]
                conn.send(b"".join(build(f"/a?n={n}", headers={"X-Pad": p, "Cookie": f"c={c}"}) for n, p, c in part))
                for n, p, c in part:
                    key = conn.read().get("X-Key")
                    if key != f"/a|{n % 7}|{len(p)}|{c}":
                        wrong.append((n, key))

        for pad in (10, PAD):      # entries for all keys
            ask(list(range(42)), pad)
        before = ng.rss()
        few = [rnd.randrange(N) for _ in range(1000)]
        for _ in "123":
            ask(few, 10)
        for _ in "123":
            ask(rnd.sample(range(N), N))
        grown = ng.rss() - before
    is_(wrong, [], "every key is that of its own request")
    at_most(grown / 1e6, 16 * SLOW, "MB more for 10 MB of input")
