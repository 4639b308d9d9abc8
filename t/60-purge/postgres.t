#!/usr/bin/env python3
"""A row of a real PostgreSQL changes, and its page is purged: wal2json, conf.example/cdc-postgres.py, POST /cdc."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
import postgres

import http.server, json, os, subprocess, threading, urllib.error, urllib.request

TOKEN = "test-token-0123456789"
BRIDGE = ROOT / "conf.example/cdc-postgres.py"
BIG = 2 ** 63 - 25                     # no double holds it


class Between:
    """What the bridge talks to: passes requests on, or does what a test says."""

    def __init__(self, port):
        self.heard, self.act, self.lock = [], None, threading.Lock()
        between = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with between.lock:
                    between.heard.append(json.loads(body))
                    act = between.act
                status, answer = act and act(body, self.headers) or between.forward(body, self.headers)
                try:
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)
                except OSError:
                    pass               # who asked was killed

            def log_message(self, *_):
                pass

        self.to = port
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/api/cdc"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def forward(self, body, headers):
        req = urllib.request.Request(f"http://127.0.0.1:{self.to}/api/cdc", body, {
            k: headers[k] for k in ("Content-Type", "Authorization")})
        try:
            with urllib.request.urlopen(req, timeout=20 * SLOW) as r:
                return r.status, r.read()
        except urllib.error.HTTPError as e:
            return e.code, e.read()

    def close(self):
        self.server.shutdown()


class Bridge:
    def __init__(self, db, url, tokens, *args):
        self.cmd = [sys.executable, "-B", str(BRIDGE), "--url", url, "--token-file", tokens, "--interval", "0.1",
                    *args, db.dsn]
        self.process = None

    def start(self):
        self.process = subprocess.Popen(self.cmd, stderr=subprocess.DEVNULL, preexec_fn=nginx_._die_with_parent)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    close = kill


with scenario(120) as t:
    start = time.monotonic()
    origin = t.origin()
    TAGS = {"/list": "products", "/1": "products:1", "/2": "products:2", "/big": f"products:{BIG}",
            "/text": "notes:\u00fc\u4e16 \"a\\b\"", "/cat": "category:7", "/other": "orders:1"}
    origin.route("/*")(lambda req: Reply(b"x", cc="max-age=600", headers=[
        ("Cache-Tag", TAGS.get(req.path, "none").encode().decode("latin-1"))]))
    ng = t.nginx(origin, zone="z 128m", locations="""
        location /api/ { strata_api write=on; strata_api_token %DIR%/tokens;
                         strata_cdc format=debezium map=%DIR%/map; }""", start=False)
    ng.file("tokens", TOKEN)
    ng.file("map", "shop.products tags=products:{id},products\nshop.products tags=category:{category}\n"
                   "postgres.shop.notes tags=notes:{name}\n")
    ng.start()
    db = t.keep(postgres.Server())
    db("""CREATE SCHEMA shop;
          CREATE TABLE shop.products (id bigint PRIMARY KEY, category int, price numeric, body text);
          CREATE TABLE shop.notes (name text PRIMARY KEY, flag bool);
          CREATE TABLE shop.orders (id bigint PRIMARY KEY)""")
    note(f"PostgreSQL after {time.monotonic() - start:.1f} s")
    between = t.keep(Between(ng.port))
    bridge = t.keep(Bridge(db, between.url, f"{ng.dir}/tokens", "--create"))
    bridge.start()
    ok(wait_until(lambda: db("SELECT count(*) FROM pg_replication_slots") == "1", 20), "its slot is made")

    written = [None]

    def fill():
        for p in TAGS:
            ng.fill(p)

    def gone():
        return [p for p in TAGS if ng.get(p).cache != "HIT"]

    def caught_up():
        return db(f"SELECT confirmed_flush_lsn >= '{written[0]}' FROM pg_replication_slots") == "t"

    def not_past():
        return db(f"SELECT confirmed_flush_lsn < '{written[0]}' FROM pg_replication_slots") == "t"

    def commit(sql):
        written[0] = db(sql, "SELECT pg_current_wal_flush_lsn()").split("\n")[-1]

    def case(sql, expected, what):
        """Committed; the slot is past it when the gateway has answered, so then it is done."""
        fill()
        commit(sql)
        ok(wait_until(caught_up, 20, 0.05), f"{what}: acknowledged")
        is_(gone(), expected, what)

    case(f"INSERT INTO shop.products VALUES (1, 7, 1.50, 'a'), (2, NULL, 'NaN', NULL), ({BIG}, 8, -0.1, 'b')",
         ["/list", "/1", "/2", "/big", "/cat"], "rows are inserted")
    case("UPDATE shop.products SET price = 2 WHERE id = 2", ["/list", "/2"], "one is changed")
    case(f"UPDATE shop.products SET price = 3 WHERE id = {BIG}", ["/list", "/big"], "all digits of its number")
    case("UPDATE shop.products SET id = 3 WHERE id = 1", ["/list", "/1", "/cat"], "its key is changed: the old page, too")
    case("UPDATE shop.products SET id = 1 WHERE id = 3", ["/list", "/1", "/cat"], "and back")
    case("UPDATE shop.products SET category = 9 WHERE id = 1", ["/list", "/1"], "what it had been is not told ...")
    commit("ALTER TABLE shop.products REPLICA IDENTITY FULL; UPDATE shop.products SET category = 7 WHERE id = 1")
    ok(wait_until(caught_up, 20, 0.05), "acknowledged")
    case("UPDATE shop.products SET category = 9 WHERE id = 1", ["/list", "/1", "/cat"], "... but with REPLICA IDENTITY FULL")
    case("INSERT INTO shop.notes VALUES (E'\u00fc\u4e16 \"a\\\\b\"', true)", ["/text"], "a key of letters")
    case("DELETE FROM shop.notes", ["/text"], "deleted")
    case("INSERT INTO shop.orders VALUES (1)", [], "another table")
    case("BEGIN; UPDATE shop.products SET price = 9; ROLLBACK", [], "rolled back")
    case("BEGIN; INSERT INTO shop.orders VALUES (2); DELETE FROM shop.products WHERE id = 2; COMMIT", ["/list", "/2"],
         "two tables at once")
    case(f"INSERT INTO shop.products (id, body) VALUES (2, repeat('x', 3000000))", ["/list", "/2"], "a row of 3 MB")
    before = len(between.heard)
    case("INSERT INTO shop.products (id) SELECT * FROM generate_series(1000, 2499)", ["/list"], "1500 in one transaction")
    sizes = [len(m) for m in between.heard[before:]]
    ok(len(sizes) >= 3 and sum(sizes) == 1500, f"in pieces: {sizes}")
    case("TRUNCATE shop.products", ["/list"], "all of them: {id} says nothing")

    note("a bridge that dies")
    fill()

    def dies_before(body, headers):
        bridge.kill()
        return 503, b""                # the gateway never heard of it

    between.act = dies_before
    commit("INSERT INTO shop.products VALUES (1)")
    ok(wait_until(lambda: bridge.process.poll() is not None, 20), "killed before the gateway heard of the row")
    is_((gone(), not_past()), ([], True), "nothing was purged, the slot is not past it")
    between.act = None
    bridge.start()
    ok(wait_until(caught_up, 20, 0.05), "started again")
    is_(gone(), ["/list", "/1"], "nothing is lost")

    fill()

    def dies_after(body, headers):
        answer = between.forward(body, headers)
        bridge.kill()
        return answer                  # nobody is told

    between.act = dies_after
    commit("UPDATE shop.products SET price = 5 WHERE id = 1")
    ok(wait_until(lambda: bridge.process.poll() is not None, 20), "killed between the gateway's answer and the slot")
    is_((gone(), not_past()), (["/list", "/1"], True), "purged; the slot is not past it")
    between.act = None
    fill()
    before = len(between.heard)
    bridge.start()
    ok(wait_until(caught_up, 20, 0.05), "started again")
    is_([[m["op"] for m in heard] for heard in between.heard[before:]], [["u"]], "told twice")
    is_(gone(), ["/list", "/1"], "which purges once more")

    note("a gateway that can't, a database that dies")
    fill()
    answers = [(503, b'{"error":"unavailable"}'), (401, b""), (202, b"")]
    between.act = lambda body, headers: answers.pop() if answers else None
    commit("UPDATE shop.products SET price = 6 WHERE id = 1")
    ok(wait_until(caught_up, 30, 0.05), "asked until it is told 200")
    is_((answers, gone()), ([], ["/list", "/1"]), "nothing is lost")
    between.act = None

    fill()
    bridge.kill()
    commit("UPDATE shop.products SET price = 7 WHERE id = 1")
    db.kill()
    bridge.start()
    db.start()
    ok(wait_until(caught_up, 30, 0.05), "PostgreSQL was killed, the slot is as of its last checkpoint")
    is_({"/list", "/1"} - set(gone()), set(), "nothing is lost, much is told again")

    note("wrong arguments")
    for args, code in (("--slot", "a'b"), 2), (("--tables", "a;b"), 2), (("--slot", "none", "--drop"), 1), (("--once",), 0):
        done = subprocess.run([sys.executable, "-B", str(BRIDGE), "--token-file", f"{ng.dir}/tokens", *args, db.dsn],
                              capture_output=True, timeout=30)
        is_(done.returncode, code, f"{args}: {done.stderr.decode()[-60:]!r}")
    bridge.kill()
    subprocess.run([*bridge.cmd[:-1], "--drop", db.dsn], check=True, timeout=30)
    is_(db("SELECT count(*) FROM pg_replication_slots"), "0", "the slot is dropped")
    note(f"{time.monotonic() - start:.1f} s")
