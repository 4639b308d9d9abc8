# Copyright (C) Strata contributors
# SPDX-License-Identifier: BSD-2-Clause

"""
Deaths at chosen instructions: the module's test build ("make faults") with faults.c
preloaded.
"""

import fcntl
import mmap
import re
import struct
import subprocess
import tempfile

import nginx
from strata import compiled

MODULE = "build/faults/ngx_http_strata_module.so"


def built():
    """Builds the test build; why not, or None."""
    if nginx.BINARY != "/usr/sbin/nginx":
        return "fault points are tried with the stock nginx only"
    with open(nginx.ROOT / "build/.t-faults", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        p = subprocess.run(["make", "-s", "faults"], cwd=nginx.ROOT, capture_output=True,
                           text=True, timeout=200)
    return None if p.returncode == 0 else f"make faults: {p.stderr[-300:]}"


def declared():
    """The names of all points, from the source."""
    names = set()
    for path in (nginx.ROOT / "src").rglob("*.c"):
        names |= set(re.findall(r'STRATA_FAULT\("(\w+)"\)', path.read_text()))
    return sorted(names)


class Faults:
    def __init__(self):
        self._file = tempfile.NamedTemporaryFile(prefix="strata-faults-")
        self._file.truncate(64 + 192 * 32)
        self._page = mmap.mmap(self._file.fileno(), 0)

    def options(self):
        """For Nginx()."""
        library = compiled("faults.c", "-shared", "-fPIC")
        return dict(module=MODULE, environ={"LD_PRELOAD": library,
                                            "STRATA_FAULT_FILE": self._file.name})

    def arm(self, name, nth=1):
        self._page[32:40] = struct.pack("ii", 0, 0)
        self._page[0:32] = name.encode().ljust(32, b"\0")
        self._page[32:36] = struct.pack("i", nth)

    def disarm(self):
        self._page[32:36] = struct.pack("i", 0)

    def fired(self):
        """The pid that died at the armed point, or 0."""
        return struct.unpack("i", self._page[36:40])[0]

    def seen(self):
        names = (self._page[64 + i * 32:96 + i * 32].rstrip(b"\0").decode() for i in range(192))
        return {n for n in names if n}

    def close(self):
        self._page.close()
        self._file.close()
