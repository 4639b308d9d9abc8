#!/usr/bin/env python3
"""What L2 still has when the log says that it was purged never comes back into a node."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
from fault_proxy import FaultProxy
import invlog, l2

TOKEN = "test-token-0123456789"
AUTH = [("Authorization", f"Bearer {TOKEN}"), ("Content-Type", "application/json")]

with scenario(120) as t:
    origin = t.origin()
    n, gate = {}, {}

    @origin.route("/*")
    def _(req):
        if req.method == "POST":
            return Reply(b"written")
        n[req.path] = n.get(req.path, 0) + 1
        if (req.path, n[req.path]) in gate:
            here, go = gate[req.path, n[req.path]]
            here.set()
            go.wait(20)
            return Reply(b"1", cc="max-age=100", headers=[("Surrogate-Key", "x" + req.path[1:])])
        return Reply(f"{n[req.path]}".encode(), cc="max-age=100",
                     headers=[("Surrogate-Key", "all x" + req.path[1:].replace("/", " "))])

    # log and L2 are different servers; the way of the first node to L2 leads through a proxy
    log, store = l2.server(t), l2.server(t)
    proxy = t.keep(FaultProxy(store.port))

    tokens = pathlib.Path(f"/tmp/strata-tokens-{os.getpid()}")
    tokens.write_text(TOKEN)

    def node(url):
        return invlog.node(t, origin, log.url,
                           f"strata_l2 l; strata_l2_timeout {int(500 * SLOW)}ms; strata_namespace $arg_ns;",
                           http=f"strata_redis l {url} timeout={int(10 * SLOW)}s;", locations=f"""
                           location /twice/ {{ {CACHE} {PROXY} strata_l2 l; strata_purge on;
                                               strata_double_delete {int(1000 * SLOW)}ms; }}
                           location /api/ {{ strata_api write=on; strata_api_token {tokens}; }}""")

    a, b = node(proxy.url), node(store.url)
    tokens.unlink()
    for ng in a, b:
        ng.allowed += ["strata l2", "strata redis", "strata log"]
        invlog.leased(ng)

    def fill(path, nodes=(a, b)):
        """All nodes and L2 have the same, from one fetch."""
        was = n.get(path.split("?")[0], 0)
        for ng in nodes:
            ng.get(path)
            ng.quiet()
            l2.stored(store)
            is_(ng.get(path).cache, "HIT", f"{path}: each has it")
        is_(n[path.split("?")[0]], was + 1, "of one fetch")

    def settled():
        return wait_until(lambda: a.status()["log"]["sequence"] == b.status()["log"]["sequence"]
                          == int(log("HGET", "{log}:h", "seq")), 5 * SLOW)

    # the script is on its way to L2 for a long time: nobody hears of the purge before
    fill("/url")
    before = b.status()["log"]["sequence"]
    proxy.up(stall=1)
    said = []
    th = threading.Thread(target=lambda: said.append(a.purge("/url")))
    th.start()
    for _ in range(50):
        b.get("/url")
        time.sleep(0.01)
    is_(said, [], "not answered while L2 has not heard of it")
    is_(b.status()["log"]["sequence"], before, "nor has the log")
    proxy.heal()
    th.join(20)
    is_((said[0].status, json.loads(said[0].body)["acked"]), (200, 2), f"purged: {said[0].body}")
    ok(b.get("/url").body != b"1", "the other node has it no more")
    ok(a.get("/url").body != b"1", "nor has the first")

    # a write, that nobody waits for
    fill("/write")
    proxy.up(stall=1)
    is_(a.request("/write", "POST", body=b"x").status, 200, "a write")
    for _ in range(50):
        b.get("/write")
        time.sleep(0.01)
    proxy.heal()
    wait_until(lambda: b.get("/write").body != b"1", 5 * SLOW)
    settled()
    ok(b.get("/write").body != b"1" and a.get("/write").body != b"1", "is known everywhere in the end")

    # ... and who wrote it has gone
    fill("/gone")
    proxy.up(stall=1)
    c = a.conn()
    c.send(client.build("/gone", "PURGE"))
    time.sleep(0.1)
    c.close()
    wait_until(lambda: a.log("closed") or True, 1)
    proxy.heal()
    wait_until(lambda: b.get("/gone").body != b"1", 5 * SLOW)
    ok(b.get("/gone").body != b"1", "one whose client has gone")
    settled()

    # no script of L2's: what is there still is refused, by the place it was fetched at
    def api(path, what):
        fill(path)
        had = sorted(l2.keys(store)[""])
        r = a.request("/api/purge", "POST", body=json.dumps(what).encode(), headers=AUTH)
        is_((r.status, json.loads(r.body).get("acked")), (200, 2), f"{what}: {r.body}")
        is_(sorted(l2.keys(store)[""]), had, "L2 has it still")
        for ng in b, a:
            is_(ng.get(path).body, b"2", "but nobody takes it")
            ng.quiet()

    api("/tag", {"tags": ["xtag"]})
    api("/all-of", {"tags_all": ["all", "xall-of"]})
    api("/prefix/1", {"prefix": "http|localhost|/prefix"})
    api("/glob/1", {"match": "*/glo?/*"})
    api("/key", {"keys": ["http|localhost|/key|"]})
    api("/space?ns=one", {"namespace": "one"})
    api("/everything", {"all": True})

    # a fetch that begins before a purge, and stores into L2 after it
    here, go = gate["/late", 1] = threading.Event(), threading.Event()
    th = threading.Thread(target=a.get, args=("/late",))
    th.start()
    here.wait(10)
    is_(b.purge("/", headers={"Surrogate-Key": "xlate"}).status, 200, "a purge while it is fetched")
    go.set()
    th.join(20)
    a.quiet()
    l2.stored(store, len(n))
    is_((b.get("/late").body, a.get("/late").body), (b"2", b"2"), "what is stored after that is used by nobody")

    # the second of a double delete, when L2 has been filled in between
    fill("/twice/1")
    is_(a.purge("/twice/1").status, 200, "a double delete")
    is_((b.get("/twice/1").body, a.get("/twice/1").body), (b"2", b"2"), "filled again, between the two")
    ok(wait_until(lambda: b.get("/twice/1").body == b"3", 5 * SLOW), "gone again, from L2 as well")
    is_(a.get("/twice/1").body, b"3", "everywhere")

    # L2 can't be reached by who purges: the log says so, and no node takes what is there
    for path, status in ("/away", 200), ("/away-too", 200):
        fill(path)
        proxy.listen(0)
        proxy.cut()
        if path == "/away":
            r = a.purge(path)
            said = json.loads(r.body)
            is_((r.status, said["acked"], said["purged"]), (200, 2, 1), f"a purge without L2: {r.body}")
            ok(said["l2"].startswith("l2-"), "it says so")
        else:
            is_(a.request(path, "POST", body=b"x").status, 200, "a write without L2")
            wait_until(settled, 5 * SLOW)
        proxy.listen(1)
        l2.ready(a, "l", 15 * SLOW)
        if path == "/away":
            is_(a.get(path).body, b"2", "refused by who comes back")
        is_(b.get(path).body, b"2", "refused by who has seen it all the time")
        is_(a.get(path).body, b"2", "and all have the new one")
    rows = log("ZRANGE", "log:t" if log("EXISTS", "log:t") else "{log}:t", 0, -1)
    ok(any(b"/away" in r for r in rows), "the tables know of it")
    ok(not any(b"/url" in r for r in rows), "but not of a purge that L2 took")
