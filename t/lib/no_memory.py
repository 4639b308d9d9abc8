# Copyright (C) Strata contributors
# SPDX-License-Identifier: BSD-2-Clause

"""
Allocations that fail (no_memory.c, preloaded).

    memory = t.keep(NoMemory())
    ng = t.nginx(origin, **memory.options())
    memory.watch(pid)                     memory.held: blocks it did not free
    with memory.fails(7): ...             the seventh allocation in there fails
    with memory.fails(): ...              none does; memory.count
"""

import contextlib
import mmap
import struct
import subprocess
import tempfile

from strata import compiled

DEPTH = 16


class NoMemory:
    def __init__(self):
        self._file = tempfile.NamedTemporaryFile(prefix="strata-no-memory-")
        self._file.truncate(24 + 8 * DEPTH)
        self._page = mmap.mmap(self._file.fileno(), 0)
        self._page[4:8] = struct.pack("i", -1)

    def options(self):
        """For Nginx()."""
        return dict(environ={"LD_PRELOAD": compiled("no_memory.c", "-shared", "-fPIC"),
                             "STRATA_NO_MEMORY_FILE": self._file.name})

    def watch(self, pid):
        """The process that all of this is about."""
        self._page[0:4] = struct.pack("i", pid)

    @contextlib.contextmanager
    def fails(self, nth=0):
        self._page[8:16] = struct.pack("Ii", 0, 0)
        self._page[4:8] = struct.pack("i", nth)
        try:
            yield
        finally:
            self._page[4:8] = struct.pack("i", -1)

    @property
    def count(self):
        return struct.unpack("I", self._page[8:12])[0]

    @property
    def failed(self):
        """One did."""
        return struct.unpack("i", self._page[12:16])[0] > 0

    @property
    def held(self):
        """Blocks that the process got and has not freed, since it is watched."""
        return struct.unpack("q", self._page[16:24])[0]

    def where(self, pid):
        """The functions that the failed one was called from, as far as there are names."""
        maps = []
        with open(f"/proc/{pid}/maps") as f:
            for line in f:
                span, _, offset, _, _, *name = line.split()
                lo, hi = (int(x, 16) for x in span.split("-"))
                maps.append((lo, hi, int(offset, 16), name[0] if name else ""))
        found = []
        for at in struct.unpack(f"{DEPTH}Q", self._page[24:24 + 8 * DEPTH])[2:9]:
            for lo, hi, offset, name in maps:
                if lo <= at < hi and name:
                    p = subprocess.run(["addr2line", "-fse", name,
                                        hex(at - lo + offset)],
                                       capture_output=True, text=True)
                    found.append(" ".join(p.stdout.split()) or name)
        return found

    def close(self):
        self._page.close()
        self._file.close()
