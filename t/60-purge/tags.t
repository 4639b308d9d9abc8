#!/usr/bin/env python3
"""Tags: where they come from, what a purge of them reaches, what the client sees of them."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario(60) as t:
    origin = t.origin()
    n = {}
    tags = {}

    @origin.route("/*")
    def _(req):
        n[req.path] = n.get(req.path, 0) + 1
        cc = "max-age=100, stale-while-revalidate=100" if "swr" in req.path else "max-age=100"
        return Reply(f"{n[req.path]}".encode(), cc=cc, headers=tags.get(req.path, []))

    ng = t.nginx(origin, """strata_purge on;
                            location /own/ { strata_tags "shop $arg_p" "p-$arg_p"; proxy_pass http://%ORIGIN%; }
                            location /forward/ { strata_tag_forward on; proxy_pass http://%ORIGIN%; }
                            location /none/ { strata_tag_headers off; proxy_pass http://%ORIGIN%; }
                            location /other/ { strata_tag_headers X-My-Tags; proxy_pass http://%ORIGIN%; }
                            location /few/ { strata_tag_max 2; proxy_pass http://%ORIGIN%; }
                            location /pass/ { strata_bypass 1; strata_no_cache 1; proxy_pass http://%ORIGIN%; }
                            location /ns/ { strata_namespace $arg_ns; strata_tags t; proxy_pass http://%ORIGIN%; }
                         """, http="add_header X-Tags $strata_tags always;")

    def fill(path, *headers):
        tags[path.split("?")[0]] = list(headers)
        r = ng.get(path)
        ng.quiet()
        is_(ng.get(path).cache, "HIT", f"{path} is stored")
        return r

    def purge(value, field="Surrogate-Key", path="/", **kw):
        return ng.purge(path, headers={field: value, **kw})

    # syntaxes; any of them
    for field, value, names in (("Surrogate-Key", "a ab", ["a", "ab"]), ("Cache-Tag", "b, c d", ["b", "c d"]),
                                ("xkey", "e,f g", ["e", "f", "g"]), ("Cache-Groups", '"h", "i j"', ["h", "i j"])):
        path = f"/{field}"
        r = fill(path, (field, value))
        is_((r.get(field), r.get("X-Tags")), (None, " ".join(names)), f"{field}: not for the client, in $strata_tags")
        is_(ng.get(path).get("X-Tags"), " ".join(names), "from the entry as well")
        quoted = '"nothing", "%s"' % names[-1] if field == "Cache-Groups" else f"nothing,{names[-1]}"
        if field == "Surrogate-Key":
            quoted = f"nothing {names[-1]}"
        r = purge(quoted, field)
        is_(r.status, 200, f"purged by {field}: {r.body}")
        r = ng.get(path)
        is_((r.cache, r.body), ("MISS", b"2"), "gone")

    is_(ng.reasons()["purged"], 4, "for that reason")
    is_(ng.count("purged"), 4, "counted")

    # exactly these
    fill("/exact1", ("Surrogate-Key", "x1"))
    fill("/exact2", ("Surrogate-Key", "x11 X1 y"))
    is_(purge("x1").status, 200, "x1")
    is_(ng.get("/exact1").cache, "MISS", "goes")
    is_(ng.get("/exact2").cache, "HIT", "x11 and X1 stay")
    is_(purge("x*").status, 200, "x*")
    is_(ng.get("/exact2").cache, "HIT", "is no pattern")
    is_(purge("nobody has it").status, 200, "what nobody has is no error")
    is_(purge("y", **{"X-Purge": "nonsense"}).status, 400, "an unknown mode is")
    is_(purge("y", **{"X-Purge-Wait": "nonsense"}).status, 400, "or wait")
    is_(purge("a" * 129).status, 400, "or a tag that can't be one")
    is_(purge(" ").status, 400, "or none at all")
    is_(purge(" ".join(f"t{i}" for i in range(129))).status, 400, "or too many")
    is_(purge(" ".join(f"t{i}" for i in range(128))).status, 200, "these are not")
    is_(ng.get("/exact2").cache, "HIT", "nothing happened")

    # soft
    fill("/swr", ("Surrogate-Key", "soft"))
    fill("/dry", ("Surrogate-Key", "soft"))
    is_(purge("soft", **{"X-Purge": "invalidate"}).status, 200, "soft")
    r = ng.get("/swr")
    is_((r.cache, r.body), ("STALE", b"1"), "served stale where that is allowed")
    wait_until(lambda: ng.get("/swr").cache == "HIT", 5)
    is_(ng.get("/swr").body, b"2", "while it is refreshed")
    r = ng.get("/dry")
    is_((r.cache, r.body), ("EXPIRED", b"2"), "asked for elsewhere")
    is_(ng.reasons()["soft-purge"] >= 1, True, "for that reason")

    # strata_tags, its limits
    fill("/own/1?p=7", ("Cache-Tag", "shop,seven"))
    is_(ng.get("/own/1?p=7").get("X-Tags"), "seven shop 7 p-7".replace("seven shop", "shop seven"), "once each")
    is_(purge("p-7").status, 200, "one of strata_tags")
    is_(ng.get("/own/1?p=7").body, b"2", "gone")

    r = fill("/forward/1", ("Surrogate-Key", "f1 f2"))
    is_(r.get("Surrogate-Key"), "f1 f2", "strata_tag_forward: on a miss")
    is_(ng.get("/forward/1").get("Surrogate-Key"), "f1 f2", "and on a hit")
    purge("f2")
    is_(ng.get("/forward/1").body, b"2", "and purged")

    r = fill("/none/1", ("Surrogate-Key", "n1"))
    is_(r.get("Surrogate-Key"), "n1", "strata_tag_headers off: a field as any other")
    purge("n1")
    is_(ng.get("/none/1").cache, "HIT", "and no tag")
    r = fill("/other/1", ("Surrogate-Key", "o1"), ("X-My-Tags", "o2"))
    is_((r.get("Surrogate-Key"), r.get("X-My-Tags")), ("o1", None), "a field of one's own")
    purge("o1")
    is_(ng.get("/other/1").cache, "HIT", "instead of the usual ones")
    purge("o2", "X-My-Tags", "/other/")
    is_(ng.get("/other/1").cache, "MISS", "its tags count")

    tags["/few/3"] = [("Surrogate-Key", "1 2 3")]
    ng.get("/few/3")
    is_(ng.get("/few/3").cache, "PASS", "more than strata_tag_max: not stored")
    tags["/few/long"] = [("Surrogate-Key", "a" * 129)]
    ng.get("/few/long")
    is_(ng.get("/few/long").cache, "PASS", "nor with one too long")
    is_(ng.reasons()["tags"], 2, "for that reason")
    fill("/few/2", ("Surrogate-Key", "1 2"), ("Cache-Tag", "2,1"))

    tags["/pass/1"] = [("Cache-Tag", "p")]
    is_(ng.get("/pass/1").get("Cache-Tag"), None, "nor does a client see them of what is not stored")

    # 304: the tags of the stored response, or new ones
    # namespaces
    fill("/ns/1?ns=one")
    fill("/ns/1?ns=two")
    is_(purge("t", path="/ns/1?ns=one").status, 200, "in one namespace")
    is_(ng.get("/ns/1?ns=two").cache, "HIT", "stays in another")
    is_(ng.get("/ns/1?ns=one").cache, "MISS", "goes in its own")
    is_(purge("t").status, 200, "in all")
    is_(ng.get("/ns/1?ns=two").cache, "MISS", "goes")

    # positions move, entries pay once
    fill("/kept", ("Surrogate-Key", "kept"))
    before = ng.status()["log"]["position"]
    for i in range(50):
        purge(f"unrelated{i}")
    is_(ng.status()["log"]["position"], before + 50, "a position for each")
    is_(ng.get("/kept").cache, "HIT", "what has other tags stays")
