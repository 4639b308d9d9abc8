#!/usr/bin/env python3
# Copyright (C) Strata contributors
# SPDX-License-Identifier: BSD-2-Clause

"""
Row changes of a PostgreSQL database to POST /cdc of a gateway (conf.example/cdc.conf), at
least once each: the slot is moved on when the gateway has answered 200, so all nodes have
purged what changed. Killed at any moment, it goes on where it was.

Needs wal_level=logical, the plugin wal2json (Debian: postgresql-15-wal2json) and psql.
Make the slot first, then purge everything once, then leave it running:

    cdc-postgres.py --create --token-file /etc/strata.token dbname=shop

A slot that nobody reads keeps PostgreSQL's log from being removed:
--drop, when it is not needed any more; max_slot_wal_keep_size bounds it.
An update tells the old values of the columns of REPLICA IDENTITY only, by default
those of the primary key. Where a tag is made of another column, ALTER TABLE ..
REPLICA IDENTITY FULL.
"""

import argparse
import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request

ROWS, MESSAGES, BYTES = 1000, 500, 512 * 1024      # of a look, of a request
COLUMN = 8192                                      # the gateway uses no longer ones
KINDS = {"I": "c", "U": "u", "D": "d", "T": "t"}
SEPARATOR = "\x1e"                                 # not in JSON


class Failed(Exception):
    """It may go better next time."""


def say(what):
    print(f"{time.strftime('%F %T')} {what}", file=sys.stderr, flush=True)


def psql(dsn, *statements):
    """Rows of columns, as text."""
    try:
        done = subprocess.run(["psql", "-XqAt", "-F", SEPARATOR, "-v", "ON_ERROR_STOP=1",
                               *(x for sql in statements for x in ("-c", sql)), dsn], capture_output=True,
                              text=True, encoding="utf-8", timeout=60)
    except subprocess.TimeoutExpired:
        raise Failed("PostgreSQL does not answer") from None
    if done.returncode:
        raise Failed(done.stderr.strip())
    return [line.split(SEPARATOR) for line in done.stdout.split("\n") if line]


def columns(of):
    """{name: value}: numbers as they are written, nothing that is too long."""
    out = {}
    for c in of or []:
        v = c["value"]
        out[c["name"]] = None if isinstance(v, str) and len(v) > COLUMN else v
    return out or None


def message(change, database):
    """As Debezium words it; None if no row changed."""
    op = KINDS.get(change["action"])
    before, after = columns(change.get("identity")), columns(change.get("columns"))
    if op is None or op != "t" and before is None and after is None:
        return None
    return {"op": op, "before": before, "after": after,
            "source": {"db": database, "schema": change["schema"], "table": change["table"]}}


def post(args, messages):
    """Until all of them have been purged."""
    request = urllib.request.Request(args.url, json.dumps(messages).encode(), {
        "Content-Type": "application/json", "Authorization": f"Bearer {args.token}"})
    try:
        with urllib.request.urlopen(request, timeout=args.timeout) as r:
            if r.status == 200:
                return
            raise Failed(f"{args.url}: {r.status}")
    except urllib.error.HTTPError as e:
        text = e.read(1000).decode("utf-8", "replace").strip()
        if e.code != 413 or len(messages) == 1:
            raise Failed(f"{args.url}: {e.code} {text}") from None
    except (OSError, ValueError) as e:
        raise Failed(f"{args.url}: {e}") from None
    half = len(messages) // 2
    post(args, messages[:half])
    post(args, messages[half:])


def batches(messages):
    batch, size = [], 0
    for m in messages:
        n = len(json.dumps(m)) + 2
        if batch and (len(batch) == MESSAGES or size + n > BYTES):
            yield batch
            batch, size = [], 0
        batch.append(m)
        size += n
    if batch:
        yield batch


def turn(args, database):
    """What was committed since, up to the end of a transaction: how many rows."""
    (end,), *rows = psql(
        args.dsn, "SELECT pg_current_wal_flush_lsn()",
        f"SELECT lsn, data FROM pg_logical_slot_peek_changes('{args.slot}', NULL, {ROWS}, 'format-version', '2', "
        "'include-types', 'false'" + (f", 'add-tables', '{args.tables}'" if args.tables else "") + ")")
    changes = [json.loads(data, parse_float=str) for _, data in rows]
    messages = [m for m in (message(c, database) for c in changes) if m]
    for batch in batches(messages):
        post(args, batch)
    # all of it has been purged: only now; or what other databases wrote, which was not for us
    done = rows[-1][0] if rows else end
    if done != args.done:
        psql(args.dsn, f"SELECT pg_replication_slot_advance('{args.slot}', '{done}')")
        args.done = done
    return len(messages)


def main():
    p = argparse.ArgumentParser(description="Row changes of PostgreSQL to POST /cdc, at least once.")
    p.add_argument("dsn", nargs="?", default="", help="as psql takes it: dbname=shop host=...")
    p.add_argument("--url", default="http://127.0.0.1:8080/strata/cdc")
    p.add_argument("--token-file", required=True)
    p.add_argument("--slot", default="strata")
    p.add_argument("--tables", help="only these: shop.products,public.*")
    p.add_argument("--interval", type=float, default=0.2, help="seconds between looks that found nothing")
    p.add_argument("--timeout", type=float, default=10, help="seconds for a request")
    p.add_argument("--create", action="store_true", help="make the slot, if there is none")
    p.add_argument("--drop", action="store_true", help="remove the slot, and end")
    p.add_argument("--once", action="store_true", help="end when there is nothing more")
    args = p.parse_args()
    if not re.fullmatch("[a-z0-9_]{1,63}", args.slot):
        p.error(f"not the name of a slot: {args.slot!r}")
    if args.tables and not re.fullmatch(r"[\w.*,]+", args.tables):
        p.error(f"not tables: {args.tables!r}")
    with open(args.token_file) as f:
        args.token = f.read().strip()

    if args.drop:
        psql(args.dsn, f"SELECT pg_drop_replication_slot('{args.slot}')")
        return
    wait, database, args.done = 0, None, None
    while True:
        try:
            if database is None:
                if args.create and not psql(args.dsn, "SELECT 1 FROM pg_replication_slots "
                                                      f"WHERE slot_name = '{args.slot}'"):
                    psql(args.dsn, f"SELECT pg_create_logical_replication_slot('{args.slot}', 'wal2json')")
                    say(f"slot {args.slot} created; what changed before is not known")
                database = psql(args.dsn, "SELECT current_database()")[0][0]
            found, wait = turn(args, database), 0
        except Failed as e:
            wait = min(max(0.1, wait * 2), 5)
            say(f"{e}; again in {wait:.1f} s")
            time.sleep(wait)
            continue
        if args.once and not found:
            return
        if not found:
            time.sleep(args.interval)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
    except Failed as failed:
        sys.exit(f"{sys.argv[0]}: {failed}")
