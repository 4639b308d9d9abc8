#!/usr/bin/env python3
"""strata_redis: what nginx -t accepts, and that it quotes what it refuses, but no password."""
import pathlib, re, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

OK = "redis://127.0.0.1:6379"

with scenario(120) as t:
    secret = t.nginx(start=False)
    t._nginxes.remove(secret)
    empty = secret.file("empty", "")
    long = secret.file("long", "x" * 1025)
    word = secret.file("word", "s3cret\r\nsecond line\n")

    def error(args, pattern, name=None):
        message = t.config_error(http=f"strata_redis {args};", zone="", only="")
        like(message or "accepted", pattern, name or args)
        return message or ""

    error("a", "invalid number of arguments", "no address")
    for bad in ('""', "a.b", "a/b", "x" * 65, "ä"):
        error(f"{bad} {OK}", 'invalid value "' + bad.strip('"'), f"name {bad[:8]}")
    error(f"a {OK}; strata_redis a {OK}", 'duplicate strata_redis "a"')
    for bad in ("http://x", "127.0.0.1:6379", "localhost", "nonsense=1", "pool", "db=1",
                "POOL=1", "pool=", "pool=0", "pool=33", "pool=-1", "pool=x", "pool=1.5",
                "timeout=", "timeout=0", "timeout=-1", "timeout=soon", "connect_timeout=0",
                "connect_timeout=5x", "reconnect=", "reconnect=1s", "reconnect=1s,",
                "reconnect=,1s", "reconnect=2s,1s", "reconnect=0,1s", "reconnect=1s,2s,3s",
                "mode=", "mode=ring", "mode=SINGLE", "verify=", "verify=yes", "prefix=",
                "prefix=a{b}", "prefix=a b", "prefix=" + "p" * 65, "password_file="):
        error(f'a {OK} "{bad}"', f'invalid value "{re.escape(bad)}"', bad[:20])
    for bad, part in (("redis://", None), ("redis://:1", None), ("redis://h:0", '"0"'),
                      ("redis://h:65536", '"65536"'), ("redis://h:x", '"h"'),
                      ("redis://h/x", '"x"'), ("redis://h/65536", '"65536"'),
                      ("redis://[::1", None), ("unix:", None), ("unix:relative", None),
                      ("redis://%zz@h", None), ("unix:/" + "x" * 120, None)):
        m = error(f"a {bad}", 'in an address of strata_redis "a"', bad[:24])
        if part:
            like(m, part, f"  quotes {part}")
    error("a redis://no-such-host.invalid", 'host not found in "no-such-host.invalid:6379"')
    error(f"a {OK} redis://127.0.0.1:6380", 'more than one address in strata_redis "a"')
    error(f"a {OK} pool=1 pool=2", 'duplicate option "pool=2"')
    error("a pool=1", 'no address in strata_redis "a"')
    error(f"a {OK} master=m", "master= goes with mode=sentinel")
    error(f"a {OK} mode=sentinel", "master= goes with mode=sentinel")
    error(f"a {OK} mode=cluster master=m", "master= goes with mode=sentinel")
    error(f"a {OK}/1 mode=cluster", 'database "1" in strata_redis "a" with mode=cluster')
    for mode in ("mode=cluster", "mode=sentinel master=m"):
        error(f"a {OK} unix:/run/redis.sock {mode}", 'a socket "unix:/run/redis.sock"')
    error(f"a {OK} user=joe", 'user "joe" without a password')
    for o in ("ca=/x", "cert=/x", "key=/x", "verify=off", "server_name=x"):
        error(f"a {OK} {o}", f'"{o}" in strata_redis "a" without rediss://')
    error("a rediss://127.0.0.1 ca=/no/such.pem", "/no/such.pem")
    error("a rediss://127.0.0.1 cert=/no/such.pem", "cert= and key= go together")
    error("a rediss://127.0.0.1 cert=/no/such.pem key=/no/such.key", "/no/such.pem")
    error(f"a {OK} password_file=/no/such.pass", '"/no/such.pass" failed')
    error(f"a {OK} password_file={secret.dir}", "read\\(\\)|directory")
    error(f"a {OK} password_file={empty}", f'no password in the first line of "{empty}"')
    error(f"a {OK} password_file={long}", f'no password in the first line of "{long}"')

    for bad in ("redis://joe:s3cret@h:0", "redis://:s3cret@", "redis://joe:s3cret@h/x",
                "redis://joe:s3cret@h:1 mode=x", "redis://joe:s3cret@nowhere.invalid",
                f"{OK} password_file={word} timeout=x"):
        unlike(error(f"a {bad}", "strata_redis", f"refused: {bad[:20]}"), "s3cret",
               "  and the password is not in it")

    for good in (OK, "redis://127.0.0.1", "redis://localhost", "redis://127.0.0.1/15",
                 "redis://joe:p%40ss@127.0.0.1", "redis://:pass@127.0.0.1:1", "redis://[::1]:6379",
                 "unix:/run/redis.sock", "unix:/run/redis.sock:3", "rediss://127.0.0.1",
                 "rediss://127.0.0.1 verify=off", "rediss://127.0.0.1 server_name=redis.example",
                 f"{OK} pool=1", f"{OK} pool=32", f"pool=4 {OK} timeout=20ms",
                 f"{OK} connect_timeout=1s reconnect=50ms,2s mode=single prefix=p:",
                 f"{OK} redis://127.0.0.1:7 mode=cluster", f"{OK} mode=cluster",
                 f"{OK}/3 redis://127.0.0.1/3 mode=sentinel master=m",
                 f"{OK} user=joe password_file={word}", f"{OK} password_file={word}"):
        is_(t.config_error(http=f"strata_redis a {good};", zone="", only=""), None, good)
    is_(t.config_error(http=f"strata_redis a {OK}; strata_redis b {OK}; strata_redis A {OK};",
                       zone="", only=""), None, "several")
    like(t.config_error(server=f"strata_redis a {OK};"), "strata_redis.*not allowed",
         "only in http")
    secret.remove()
