# Copyright (C) Strata contributors
# SPDX-License-Identifier: BSD-2-Clause

"""TAP on stdout: every check is a line, notes and details follow as comments."""

import os
import re
import sys
import time

# A sanitizer build is slower: time bars are multiplied by this.
SLOW = float(os.environ.get("STRATA_SLOW", "1"))

_count = 0
_failed = 0
_cases = 0


def ok(condition, name):
    """One check.  Returns its outcome, so that a test can add notes."""
    global _count, _failed
    _count += 1
    if not condition:
        _failed += 1
    print(f"{'ok' if condition else 'not ok'} {_count} - {name}", flush=True)
    return bool(condition)


def is_(got, want, name):
    return ok(got == want, name) or _differs(got, want)


def isnt(got, other, name):
    return ok(got != other, name) or _differs(got, f"anything but {other!r}")


def like(text, pattern, name):
    found = re.search(pattern, text or "", re.S) is not None
    return ok(found, name) or _differs(text, f"something like /{pattern}/")


def unlike(text, pattern, name):
    found = re.search(pattern, text or "", re.S) is not None
    return ok(not found, name) or _differs(text, f"nothing like /{pattern}/")


def at_most(got, bar, name):
    """A count or an amount: got <= bar."""
    return ok(got is not None and got <= bar, f"{name} ({_num(got)} <= {_num(bar)})")


def at_least(got, bar, name):
    return ok(got is not None and got >= bar, f"{name} ({_num(got)} >= {_num(bar)})")


def within(ms, bar_ms, name, slack_ms=None):
    """
    A time in ms against a bar of the issue.  The sanitizer factor stretches only
    slack_ms, the part of the bar that is ours (default: all of it).
    """
    slack = bar_ms if slack_ms is None else slack_ms
    bar = bar_ms - slack + slack * SLOW
    return ok(ms is not None and ms <= bar,
              f"{name} ({_num(ms)} <= {_num(bar)} ms)")


def case(condition, name):
    """One hostile case: after the attack this says whether the victim is well."""
    return cases([] if condition else [name], 1, name)


def cases(wrong, n, name):
    """n hostile cases in one check; wrong lists those that went wrong."""
    global _cases
    _cases += n
    good = ok(not wrong, name if n == 1 else f"{name} ({n} cases)")
    for w in wrong[:10] if n > 1 else ():
        note(f"  {_cut(w)}")
    return good


def note(text):
    for line in str(text).splitlines() or [""]:
        print(f"# {line}", flush=True)


def skip(reason, n=1):
    global _count
    for _ in range(n):
        _count += 1
        print(f"ok {_count} # SKIP {reason}", flush=True)


def skip_all(reason):
    print(f"1..0 # SKIP {reason}", flush=True)
    sys.exit(0)


def done():
    """The plan, last.  Returns the exit code."""
    if _cases:
        note(f"{_cases} hostile cases")
    print(f"1..{_count}", flush=True)
    return 1 if _failed or not _count else 0


def failed():
    return _failed


def wait_until(condition, seconds=5.0, every=0.005):
    """Calls condition() until it is true or time is up; its last value."""
    end = time.monotonic() + seconds * SLOW
    while True:
        value = condition()
        if value or time.monotonic() >= end:
            return value
        time.sleep(every)


def _num(x):
    return f"{x:.{2 if abs(x) < 10 else 1}f}" if isinstance(x, float) else str(x)


def _differs(got, want):
    note(f"  got:  {_cut(got)}")
    note(f"  want: {_cut(want)}")
    return False


def _cut(x):
    text = x if isinstance(x, str) else repr(x)
    return text if len(text) <= 600 else text[:600] + f"... ({len(text)})"
