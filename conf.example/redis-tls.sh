#!/bin/sh
# Copyright (C) Strata contributors
# SPDX-License-Identifier: BSD-2-Clause
#
# usage: conf.example/redis-tls.sh keys | start | stop  [DIR [PORT]]
#
# A Redis that speaks TLS only, for conf.example/redis-tls.conf, on 127.0.0.1, PORT
# (6390), and an authority to try it with.  "keys" makes ca.pem, and server.pem and
# client.pem with their keys, in DIR (/tmp/strata-redis-tls), for a week; "start"
# does so too if there are none.  "stop" removes DIR.

set -eu

dir=${2:-/tmp/strata-redis-tls}
port=${3:-6390}

# sign NAME EXTENSION: a key, and a certificate of the authority
sign() {
    openssl req -newkey rsa:2048 -nodes -subj "/CN=$1" -keyout "$1.key" \
        -out "$1.csr" 2> openssl.log
    echo "$2" > "$1.ext"
    openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial \
        -days 7 -extfile "$1.ext" -out "$1.pem" 2> openssl.log
    rm "$1.csr" "$1.ext"
}

keys() {
    mkdir -p "$dir"
    cd "$dir"
    umask 077

    openssl req -x509 -newkey rsa:2048 -nodes -days 7 \
        -subj "/CN=Strata test authority" -keyout ca.key -out ca.pem \
        2> openssl.log
    sign server "subjectAltName=IP:127.0.0.1,DNS:localhost"
    sign client "extendedKeyUsage=clientAuth"
    rm openssl.log
}

start() {
    [ -e "$dir/ca.pem" ] || (keys)

    redis-server --bind 127.0.0.1 --port 0 --tls-port "$port" --dir "$dir" \
        --tls-cert-file "$dir/server.pem" --tls-key-file "$dir/server.key" \
        --tls-ca-cert-file "$dir/ca.pem" --tls-auth-clients yes \
        --pidfile "$dir/pid" --logfile "$dir/log" --daemonize yes --save '' \
        --maxmemory 64mb --maxmemory-policy volatile-lru > /dev/null

    tries=0

    until [ "$(redis-cli -p "$port" --tls --cacert "$dir/ca.pem" \
               --cert "$dir/client.pem" --key "$dir/client.key" ping \
               2> /dev/null)" = PONG ]
    do
        tries=$((tries + 1))
        [ $tries != 50 ] || { tail -n 3 "$dir/log" >&2; exit 1; }
        sleep 0.1
    done

    echo "port $port; \"$0 stop $dir\" ends it"
}

stop() {
    if pid=$(cat "$dir/pid" 2> /dev/null) \
        && [ "$(cat "/proc/$pid/comm" 2> /dev/null)" = redis-server ]
    then
        kill "$pid"
        tries=0

        while [ -e "$dir/pid" ] && [ $tries -lt 50 ]; do
            tries=$((tries + 1))
            sleep 0.1
        done
    fi

    for file in ca server client; do
        rm -f "$dir/$file.pem" "$dir/$file.key"
    done

    rm -f "$dir/ca.srl" "$dir/log" "$dir/pid"
    [ ! -d "$dir" ] || rmdir "$dir"
}

case "${1:-}" in
    keys | start | stop) "$1" ;;
    *) sed -n 's/^# usage/usage/p' "$0" >&2; exit 2 ;;
esac
