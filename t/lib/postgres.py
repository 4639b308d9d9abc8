# Copyright (C) Strata contributors
# SPDX-License-Identifier: BSD-2-Clause

"""
A PostgreSQL of one test: in an empty directory, on a socket there, ended by its pid.

    db = t.keep(postgres.Server())
    db("SELECT 1")                     "1"; an error is a RuntimeError
    db.kill(); db.start()
"""

import glob
import os
import pwd
import shutil
import signal
import subprocess
import tempfile

import tap
from nginx import _die_with_parent


class Server:
    def __init__(self):
        bins = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
        if not bins:
            raise RuntimeError('no PostgreSQL: "make deps" installs it')
        self._bin = bins[-1]
        self.dir = tempfile.mkdtemp(prefix="strata-postgres-")
        self._process = None
        self._as = {}
        if os.getuid() == 0:           # which it refuses to run as
            user = pwd.getpwnam("postgres")
            os.chown(self.dir, user.pw_uid, user.pw_gid)
            self._as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        self.dsn = f"host={self.dir} dbname=postgres user=postgres"
        try:
            self._run("initdb", "-D", f"{self.dir}/data", "-U", "postgres", "-A", "trust", "-N",
                      "--no-instructions", "-E", "UTF8", "--locale=C", "--wal-segsize=1")
            self.start()
        except BaseException:
            self.close()
            raise

    def _run(self, program, *args):
        done = subprocess.run([f"{self._bin}/{program}", *args], stdin=subprocess.DEVNULL, cwd=self.dir,
                              capture_output=True, text=True, timeout=60 * tap.SLOW, **self._as)
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr.strip()}")
        return done.stdout.rstrip("\n")

    def start(self):
        with open(f"{self.dir}/log", "ab") as log:
            self._process = subprocess.Popen(
                [f"{self._bin}/postgres", "-D", f"{self.dir}/data", "-k", self.dir, "-h", "",
                 "-c", "wal_level=logical", "-c", "fsync=off", "-c", "full_page_writes=off",
                 "-c", "shared_buffers=8MB", "-c", "min_wal_size=4MB", "-c", "max_wal_size=32MB",
                 "-c", "autovacuum=off", "-c", "max_connections=20"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.dir,
                preexec_fn=_die_with_parent, **self._as)
        if not tap.wait_until(lambda: not self.running() or self._answers(), 30, 0.05) or not self.running():
            raise RuntimeError(f"postgres does not start: {self.log()[-2000:]}")

    def _answers(self):
        try:
            return self("SELECT 1") == "1"
        except RuntimeError:
            return False

    def running(self):
        return self._process is not None and self._process.poll() is None

    def __call__(self, *statements):
        return self._run("psql", "-XqAt", "-v", "ON_ERROR_STOP=1", *(x for sql in statements for x in ("-c", sql)), self.dsn)

    def log(self):
        with open(f"{self.dir}/log", errors="replace") as f:
            return f.read()

    def kill(self, sig=signal.SIGKILL):
        if self.running():
            self._process.send_signal(sig)
            self._process.wait(10)
            # its children see that it is gone, and end; their socket and memory go with them
            tap.wait_until(lambda: not os.path.exists(f"{self.dir}/data/postmaster.pid")
                           or not self._children(), 10)

    def _children(self):
        """Processes that still have the directory of the data as theirs."""
        found = []
        for p in glob.glob("/proc/[0-9]*/cwd"):
            try:
                if os.readlink(p) == f"{self.dir}/data":
                    found.append(int(p.split("/")[2]))
            except OSError:
                pass
        return found

    def close(self):
        self.kill(signal.SIGQUIT)      # at once, and with its shared memory
        shutil.rmtree(self.dir, ignore_errors=True)
