#!/bin/sh
# Copyright (C) Strata contributors
# SPDX-License-Identifier: BSD-2-Clause
#
# usage: conf.example/redis-cluster.sh start | stop | status  [DIR [PORT]]
#
# A Redis Cluster on this machine for conf.example/redis-cluster.conf: three
# primaries, each with a replica, on 127.0.0.1, PORT (7000) and the five ports after
# it.  Everything they write is in DIR (/tmp/strata-redis-cluster), which "start"
# makes and "stop" removes.

set -eu

dir=${2:-/tmp/strata-redis-cluster}
first=${3:-7000}
last=$((first + 5))
ports=$(seq "$first" "$last")

# The process that a server wrote down, if it is still that server.
pid() {
    pid=$(cat "$dir/$1/pid" 2> /dev/null) || return 1
    [ "$(cat "/proc/$pid/comm" 2> /dev/null)" = redis-server ] && echo "$pid"
}

start() {
    if ! mkdir "$dir"; then
        echo "$0: \"$0 stop $dir\" first" >&2
        exit 1
    fi

    servers=

    for port in $ports; do
        mkdir "$dir/$port"
        redis-server --bind 127.0.0.1 --port "$port" --dir "$dir/$port" \
            --pidfile "$dir/$port/pid" --logfile "$dir/$port/log" \
            --daemonize yes --cluster-enabled yes --cluster-node-timeout 2000 \
            --maxmemory 64mb --maxmemory-policy volatile-lru --save '' \
            > /dev/null
        servers="$servers 127.0.0.1:$port"
    done

    for port in $ports; do
        tries=0

        until [ "$(redis-cli -p "$port" ping 2> /dev/null)" = PONG ]; do
            tries=$((tries + 1))

            if [ $tries = 50 ] || { [ $tries -gt 5 ] && ! pid "$port" > /dev/null; }
            then
                echo "$0: no server on port $port:" >&2
                tail -n 3 "$dir/$port/log" >&2
                stop
                exit 1
            fi

            sleep 0.1
        done
    done

    # shellcheck disable=SC2086
    redis-cli --cluster create $servers --cluster-replicas 1 --cluster-yes \
        > "$dir/create.log" || { cat "$dir/create.log" >&2; stop; exit 1; }

    tries=0

    until redis-cli -p "$last" cluster info | grep -q cluster_state:ok; do
        tries=$((tries + 1))
        [ $tries != 100 ] || { echo "$0: the state is not ok" >&2; exit 1; }
        sleep 0.1
    done

    echo "ports $first to $last; \"$0 stop $dir $first\" ends them"
}

stop() {
    for port in $ports; do
        ! pid=$(pid "$port") || kill "$pid"
    done

    for port in $ports; do
        tries=0

        while pid "$port" > /dev/null && [ $tries -lt 50 ]; do
            tries=$((tries + 1))
            sleep 0.1
        done

        rm -rf "${dir:?}/$port"
    done

    rm -f "$dir/create.log"
    [ ! -d "$dir" ] || rmdir "$dir"
}

status() {
    for port in $ports; do
        if pid "$port" > /dev/null; then
            redis-cli -p "$port" cluster nodes
            return
        fi
    done

    echo "no server runs"
    return 1
}

case "${1:-}" in
    start | stop | status) "$1" ;;
    *) sed -n 's/^# usage/usage/p' "$0" >&2; exit 2 ;;
esac
