#!/usr/bin/env python3
"""The judge of the consistency checker: a history with each kind of violation is caught, and a clean one is not."""
import pathlib, sys
HERE = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(HERE / "lib"), str(HERE / "check")]
from tap import *
import history

S = 1_000_000                      # us


def v(key, version, at):
    return f"v {key} {version} {at}"


def p(node, start, end, covers, http=200, wait="c", mode="h", reason="-"):
    return f"p 1 {node} {start} {end} {http} {wait} {mode} {reason} {covers}"


def r(node, start, version, key=1, end=None, status="HIT", reason="-", outcome="ok", http=200, lang=0):
    return (f"r {node} 77 {key} {lang} {start} {end or start + 10} {http} {version} {status} "
            f"{reason} l1 {outcome}")


BASE = [v(1, 2, 100), p(0, 110, 200, "1:2"), r(0, 50, 1), r(0, 150, 1), r(0, 201, 2), r(1, 205, 2)]


def judged(*more, **kw):
    return history.judge(BASE + list(more), **kw)


def kinds(*more, **kw):
    return sorted({k for k, _ in judged(*more, **kw).violations})


def caught(kind, *more, **kw):
    is_(kinds(*more, **kw), [kind] if kind else [], f"{kind or 'nothing'}: {more[-1] if more else 'the base'}")


caught(None)
is_((judged().reads, judged().bound, judged().acked), (4, 2, 1), "what was counted")

# a hard purge
caught("stale", r(2, 201, 1))
caught(None, r(2, 200, 1))                                   # began with the answer
caught(None, r(2, 199, 1, end=5 * S))                        # however late it ends
caught("stale", r(2, 201, 1, status="STALE", reason="updating"))
caught("stale", r(2, 201, 1, http=304))
caught("stale", r(2, 201, 1, http=206))
caught("stale", v(1, 3, 300), p(0, 310, 320, "1:3"), p(0, 330, 340, "1:2"), r(2, 350, 2))
caught(None, r(2, 201, 1, key=9))                            # not what was purged
caught("stale", p(0, 300, 310, "-"), v(9, 2, 320), p(0, 330, 340, "8:1,9:2", http=404), r(2, 350, 1, key=9))

# of one node
NODE = v(9, 2, 300), p(1, 310, 320, "9:2", wait="n")
caught("stale", *NODE, r(1, 330, 1, key=9))
caught(None, *NODE, r(0, 330, 1, key=9))
caught("stale", *NODE, p(0, 340, 350, "8:1"), r(0, 360, 1, key=9))   # the log is in order
caught(None, *NODE, p(0, 315, 350, "8:1"), r(0, 360, 1, key=9))

# of nobody yet
LOG = v(9, 2, 300), p(1, 310, 320, "9:2", wait="l", http=202)
caught(None, *LOG, r(1, 330, 1, key=9))
caught("stale", *LOG, p(0, 340, 350, "8:1"), r(2, 360, 1, key=9))
caught("lost", *LOG, "s 400", r(2, 401, 1, key=9))
caught(None, *LOG, "s 400", r(2, 399, 1, key=9), r(2, 401, 2, key=9))
caught(None, v(9, 2, 300), p(1, 310, 320, "9:2", http=503, reason="oom"), "s 400", r(1, 410, 1, key=9))

# a soft one
SOFT = v(9, 2, 300), p(1, 310, 320, "9:2", mode="s")
caught("soft", *SOFT, r(0, 330, 1, key=9))
caught("soft", *SOFT, r(0, 330, 1, key=9, status="MISS"))
caught(None, *SOFT, r(0, 330, 1, key=9, status="UPDATING"), r(0, 330, 1, key=9, status="STALE"))
caught("soft", v(9, 2, 300), p(1, 310, 320, "9:2", mode="s", wait="l", http=202),
       p(0, 340, 350, "8:1"), r(2, 360, 1, key=9))
caught("lost", v(9, 2, 300), p(1, 310, 320, "9:2", mode="s", wait="l", http=202), "s 400", r(0, 410, 1, key=9))

# isolated, and says so
caught(None, r(2, S, 1, status="STALE", reason="isolated"), grace_s=1.0)
caught("marked", r(2, 2 * S, 1, status="STALE", reason="isolated"), grace_s=1.0)
caught("stale", r(2, S, 1, status="HIT", reason="isolated"), grace_s=1.0)

# what did not exist yet, or comes back
caught("future", r(2, 300, 3))
caught("future", v(1, 3, 320), r(2, 300, 3, end=310))
caught(None, v(1, 3, 305), r(2, 300, 3, end=310))
BACK = v(9, 2, 300), r(0, 310, 2, key=9)
caught("back", *BACK, r(0, 330, 1, key=9))
caught(None, *BACK, r(0, 330, 1, key=9), one_way=False)
caught(None, *BACK, r(0, 330, 1, key=9, status="MISS"), r(0, 330, 1, key=9, status="STALE"))
caught(None, *BACK, r(1, 330, 1, key=9))
caught(None, *BACK, r(0, 315, 1, key=9))                     # side by side
caught(None, *BACK, r(0, 330, 1, key=9, lang=1))

# bodies
for outcome in "key", "variant", "torn", "length", "range", "etag", "match", "unasked", "strange":
    caught("integrity", r(0, 300, 2, outcome=outcome))

# errors and ends
caught("error", r(0, 300, 0, http=502, outcome="strange"))
caught("error", r(0, 300, 0, http=500, outcome="strange"))
caught("error", r(0, 300, 0, http=404, outcome="strange"))
caught("error", r(0, 300, 0, http=503, reason="origin-error", outcome="strange"))
caught("error", f"o 1 0 250 {3 * S} 2 e", r(0, 5 * S, 0, http=503, reason="origin-error", outcome="strange"))
caught(None, "o 1 0 250 320 2 e", r(0, 300, 0, http=503, reason="origin-error", outcome="strange"))
caught(None, r(0, 300, 2, http=503))                         # the origin's own, with its body
caught("error", "o 1 0 100 250 2 c", r(0, 300, 0, http=502, outcome="strange"))
caught(None, "o 1 0 100 305 2 c", r(0, 300, 0, http=502, outcome="strange"))
caught("cut", r(0, 300, 0, http=200, outcome="cut"))
caught(None, "o 1 0 100 305 2 c", r(0, 300, 0, outcome="cut"))
caught("cut", "o 2 0 100 305 2 c", r(0, 300, 0, outcome="cut"))
caught("cut", "o 1 0 100 305 2 b", r(0, 300, 0, outcome="gone", http=0))
caught("late", r(0, 300, 0, http=0, outcome="late"))
caught(None, "f 290 400 0 kill", r(0, 300, 0, http=0, outcome="gone"))
caught("cut", "f 290 400 1 kill", r(0, 300, 0, http=0, outcome="gone"))
caught(None, "f 290 400 -1 power", r(0, 300, 0, http=0, outcome="gone"))
caught("stale", "f 150 400 0 kill", r(2, 300, 1))            # excuses no version

# purges
caught(None, p(0, 300, 310, "9:1", http=503, reason="oom"))
caught("refused", p(0, 300, 310, "9:1", http=500))
caught("refused", p(0, 300, 310, "9:1", http=202))
caught("refused", p(0, 300, 310, "9:1", http=0))
caught(None, "f 290 400 0 kill", p(0, 300, 310, "9:1", http=0))

sys.exit(done())
