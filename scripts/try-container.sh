#!/bin/sh
# Tries packaging/Containerfile:  try-container.sh [package.deb]
#
# Builds the image with podman, runs it as the Containerfile says, in a network of its own, sends a stream through it, ends it
# with SIGTERM and starts it again. The package (default: the one that try-package.sh has built for bookworm) is one for the
# Debian that the Containerfile names. Where no registry can be reached, a root file system made by try-fresh-machine.sh
# is the image that it begins with. Needs root, podman and runc or crun; images and volumes are kept in $FRESH_CACHE/containers, and
# those of the machine are left alone.
#
#   RUNTIME=runc          who runs containers: crun wants a cgroup2 that nothing else has
set -eu
cache=${FRESH_CACHE:-/var/tmp/srt-router-fresh}
checkout=$(dirname "$(dirname "$(readlink -f "$0")")")
suite=bookworm
name=srt-router-try

say() { printf '\n=== %s\n' "$*"; }
fail() { printf '\n=== FAILED: %s\n' "$*"; exit 1; }

podman() {  # without systemd nobody calls its health checks by the clock, which it says each time
    command podman --root "$cache/containers" --runroot /run/srt-router-try --storage-driver vfs --cgroup-manager cgroupfs \
        --runtime "${RUNTIME:-runc}" --log-level fatal "$@"
}
limits="--ulimit nofile=16384:16384 --ulimit nproc=8192:8192"  # a sandbox may not raise its own

outside() {
    [ "$(id -u)" -eq 0 ] || fail "this needs root"
    command -v podman >/dev/null || fail "podman is not installed"
    package=${1:-$cache/$suite/root/srt-router.deb}
    [ -f "$package" ] || fail "no $package: run scripts/try-package.sh $suite first"
    context=$(mktemp -d)
    trap 'rm -rf "$context"' EXIT
    mkdir "$context/dist"
    cp "$package" "$context/dist/srt-router_0_$(dpkg --print-architecture).deb"
    base=$(sed -n 's/^FROM //p' "$checkout/packaging/Containerfile")
    podman image exists "$base" || podman pull --quiet "docker.io/library/$base" 2>/dev/null || import_base

    say "building"
    begin=$(date +%s)
    # shellcheck disable=SC2086 # words are meant to be split
    podman build --isolation chroot --format docker --no-cache --network host $limits -t srt-router -f "$checkout/packaging/Containerfile" \
        "$context" >"$context/log" 2>&1 || { tail -n 20 "$context/log"; fail "podman build"; }
    say "built after $(($(date +%s) - begin)) s"
    unshare --net sh "$0" --inside
}

import_base() {  # what a registry would have given, and what a machine on this network would have been given
    root=$cache/$suite
    [ -d "$cache/$suite-base" ] && [ -d "$root/etc/apt/apt.conf.d" ] || fail "no $cache/$suite-base: run scripts/try-package.sh $suite first"
    say "no registry can be reached: $base is made of $cache/$suite-base"
    new=$(mktemp -d)
    cp -a "$cache/$suite-base/." "$new/"
    cp "$root/etc/resolv.conf" "$root/etc/hosts" "$new/etc/"
    cp "$root"/etc/apt/apt.conf.d/* "$new/etc/apt/apt.conf.d/"
    mkdir -p "$new/usr/local/share/ca-certificates"
    cp "$root"/usr/local/share/ca-certificates/* "$new/usr/local/share/ca-certificates/" 2>/dev/null || true
    tar -C "$new" -c . | podman import --quiet - "docker.io/library/$base"
    rm -rf "$new"
}

inside_it() { podman exec "$name" "$@"; }
until_() {  # command…
    tries=0
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 300 ] || { podman logs "$name"; fail "not within a minute: $*"; }
        sleep 0.2
    done
}
status_is() { inside_it srt-router routes list | grep -q " $1 "; }

start() {  # as the Containerfile says
    # shellcheck disable=SC2086 # words are meant to be split
    podman run --detach --name "$name" $limits --init --network host --tmpfs /run --tmpfs /tmp \
        -v srt-router:/var/lib/srt-router srt-router >/dev/null
    until_ inside_it python3 -c 'import urllib.request as u; u.urlopen("http://127.0.0.1:8080/api/health", timeout=5)'
    group=$(podman inspect --format '{{.Id}}' "$name")
}

stop() {  # SIGTERM; the init would end with another status if it had to kill
    podman stop --time 30 "$name" >/dev/null
    code=$(podman inspect --format '{{.State.ExitCode}}' "$name")
    [ "$code" = 0 ] || { podman logs "$name"; fail "stopped with exit $code"; }
    podman logs "$name" 2>&1 | tail -n 3
    left=$(grep -ls "$group" /proc/[0-9]*/cgroup || true)
    [ -z "$left" ] || fail "processes are left: $left"
    podman rm "$name" >/dev/null
}

inside() {
    ip link set lo up
    trap 'podman rm --force "$name" >/dev/null 2>&1 || true; podman volume rm --force srt-router >/dev/null 2>&1 || true' EXIT
    begin=$(date +%s%3N)
    start
    say "the server answers after $(($(date +%s%3N) - begin)) ms: $(inside_it srt-router --version)"
    podman healthcheck run "$name"
    inside_it srt-router routes add --name "Paris feed" --source srt://:4082 --to srt://:6000 --auto-start
    until_ status_is waiting
    inside_it ffmpeg -loglevel error -re -f lavfi -i testsrc2=size=640x360:rate=25 -t 30 -c:v libx264 -preset ultrafast -g 25 -f mpegts \
        'srt://127.0.0.1:4082?mode=caller' 2>/dev/null &  # its route is taken away from it
    until_ status_is running
    say "on air"
    inside_it srt-router routes list
    inside_it srt-router ps | cut -c 1-120
    seen=$(inside_it timeout 20 ffprobe -v error -show_entries stream=codec_name,width,height -of csv=p=0 \
        'srt://127.0.0.1:6000?mode=caller' 2>/dev/null | head -n 1)
    say "what comes out of it: $seen"
    [ "$seen" = h264,640,360 ] || fail "another stream"
    # shellcheck disable=SC2016 # for the shell inside
    users=$(inside_it sh -c 'for one in $(grep -lsa "^srt-live-transmit" /proc/[0-9]*/cmdline); do stat -c %U "$one"; done | sort -u')
    [ "$users" = srt-router ] || fail "processes belong to: $users"
    say "SIGTERM while on air"
    begin=$(date +%s%3N)
    stop
    say "stopped with exit 0 after $(($(date +%s%3N) - begin)) ms; nothing is left"
    start
    until_ status_is waiting
    say "started again: the routes are there"
    inside_it srt-router routes list
    stop
    say "all good"
}

case ${1:-} in
    --inside) inside ;;
    *) outside "$@" ;;
esac
