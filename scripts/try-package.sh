#!/bin/sh
# Tries the Debian package on a machine that has nothing:  try-package.sh [suite [older.deb]]
#
# Builds it in one new root file system of the suite (default: bookworm; see try-fresh-machine.sh), installs it with apt in
# another, uses it as README and docs/deployment.md say, installs it over itself, removes and purges it; then upgrades to
# it, on air, from an older package of the suite (default: the same with a lower version). Needs root and debootstrap.
# No systemd runs there: what the unit does is done by hand; scripts/try-service.sh tries the unit. Its network, and port 8080,
# are those of this machine.
set -eu
checkout=$(dirname "$(dirname "$(readlink -f "$0")")")

say() { printf '\n=== %s\n' "$*"; }
fail() { printf '\n=== FAILED: %s\n' "$*"; exit 1; }

outside() {
    suite=${1:-bookworm}
    cache=${FRESH_CACHE:-/var/tmp/srt-router-fresh}
    say "building the package on a new $suite"
    INSIDE="packaging/build.sh deb" sh "$checkout/scripts/try-fresh-machine.sh" "$suite"
    package=$(mktemp -d)
    trap 'rm -rf "$package"' EXIT
    cp "$cache/$suite"/srv/srt-router/dist/srt-router_*.deb "$package/srt-router.deb"
    [ -z "${2:-}" ] || cp "$2" "$package/older.deb"
    say "installing it on another new $suite"
    BRING="$(echo "$package"/*.deb)" INSIDE="scripts/try-package.sh --inside" \
        sh "$checkout/scripts/try-fresh-machine.sh" "$suite"
}

quietly() { "$@" >/tmp/out 2>&1 || { tail -n 20 /tmp/out; fail "$*"; }; }
media_left() { grep -lsaE '[s]rt-live-transmit|[f]fmpeg|[d]uplicator.py' /proc/[0-9]*/cmdline || true; }
answers() { python3 -c 'import urllib.request as u; u.urlopen("http://127.0.0.1:8080/api/health", timeout=5)' 2>/dev/null; }

on_air() {  # some route is, while the server lives
    until srt-router routes list | grep -q ' running '; do
        kill -0 $server 2>/dev/null || { cat /tmp/server.log; fail "the server ended by itself"; }
        sleep 0.5
    done
}

start_server() {
    ! answers || fail "something answers on port 8080 already: the network is that of this machine"
    install -d -o srt-router -g srt-router -m 0750 /run/srt-router  # the unit's RuntimeDirectory
    srt-router serve "$@" >>/tmp/server.log 2>&1 &
    server=$!
    until answers; do
        kill -0 $server 2>/dev/null || { cat /tmp/server.log; fail "the server ended by itself"; }
        sleep 0.1
    done
}

stop_server() {
    kill -TERM $server
    wait $server || fail "the server ended with exit $?"
    [ -z "$(media_left)" ] || fail "processes are left"
}

ask() {  # method path [body]: what the API answers to an administrator; nothing where it does not know the path
    python3 - "$token" "$@" <<'PYTHON'
import sys, urllib.error, urllib.request
token, method, path, *body = sys.argv[1:]
headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
request = urllib.request.Request(f"http://127.0.0.1:8080{path}", body[0].encode() if body else None, headers, method=method)
try:
    print(urllib.request.urlopen(request, timeout=60).read().decode())
except urllib.error.HTTPError as error:
    if error.code not in (404, 405):
        sys.exit(f"{method} {path}: {error.code} {error.read().decode()}")
PYTHON
}

nothing_left() {
    left=$(find / /tmp /run -xdev \( -path /srv -o -path /proc -o -path /sys -o -path /dev -o -path /root \) -prune -o \
        \( -name '*srt-router*' -o -name '*srt-gateway*' \) -print | grep -v '^/var/lib/dpkg\|^/var/cache/apt' || true)
    [ -z "$left" ] || fail "left: $left"
    ! id srt-router 2>/dev/null || fail "the user is left"
}

kept() {  # what an upgrade must not lose, in a form that stays the same
    srt-router routes export --secrets
    srt-router users list --json | grep -v 'lastSignInAt\|"sessions"'
    srt-router tokens list --json | grep -v 'usedAt\|usedFrom'
    ask GET /api/presets | python3 -c 'import json, sys
print([one for one in json.load(sys.stdin)["items"] if not one.get("builtIn", True)])'
    ask GET /api/alarms/rules
    grep -v '^#' /etc/srt-router/srt-router.toml
}

media() {  # of the routes: the stream monitor belongs to the server
    srt-router ps --json | python3 -c 'import json, sys
print(sorted((one["type"], one["pid"]) for one in json.load(sys.stdin)["items"] if one["route"] not in (None, "server")))'; }
events() { ask GET "/api/events?kind=$1" | python3 -c 'import json, sys; print(len(json.load(sys.stdin)["items"]))'; }

upgraded_on_air() {
    if ! [ -e /root/older.deb ]; then
        dpkg-deb -R /root/srt-router.deb /tmp/older
        sed -i 's/^Version: /&0~/' /tmp/older/DEBIAN/control
        dpkg-deb -Znone -b /tmp/older /root/older.deb >/dev/null
        rm -r /tmp/older
    fi
    quietly apt-get install -y --no-install-recommends /root/older.deb
    say "from the version before, $(dpkg-query -W -f '${Version}' srt-router), on air"
    printf '\nHEALTH_ATTEMPTS = 5\n' >>/etc/srt-router/srt-router.toml
    start_server
    token=$(srt-router tokens add try --role administrator)
    srt-router users add anna --role operator --generate >/dev/null
    srt-router routes add --name "Paris feed" --source "srt://:4082?latency=200&passphrase=correct-horse-42" --to srt://:6000 \
        --to "udp://127.0.0.1:5000" --auto-start
    ask POST /api/presets '{"name": "House sound", "transcode": {"video": "copy", "audio": {"codec": "mp2", "bitrateKbps": 192}}}'
    ffmpeg -loglevel error -re -f lavfi -i testsrc2=size=320x180 -c:v libx264 -preset ultrafast -g 25 -f mpegts \
        'srt://127.0.0.1:4082?mode=caller&passphrase=correct-horse-42' &
    sender=$!
    on_air
    kept >/tmp/before  # an older version may not know presets of one's own yet
    processes=$(media)
    history=$(events routeStarted)
    [ "$history" -gt 0 ] || fail "no history"
    quietly apt-get install -y --no-install-recommends /root/srt-router.deb
    srt-router upgrade  # with systemd the package has the unit reloaded, which does the same
    on_air
    kept >/tmp/after
    diff /tmp/before /tmp/after || fail "not everything was kept"
    [ "$processes" = "$(media)" ] || fail "processes $processes became $(media)"
    [ "$(events routeStarted)" -ge "$history" ] || fail "the history is shorter"
    kill -0 $server || fail "the server is another process"
    say "upgraded to $(dpkg-query -W -f '${Version}' srt-router): routes, users, tokens, presets, settings and history are there;" \
        "the same server, the same processes: $processes"
    kill $sender
    wait $sender 2>/dev/null || true
    stop_server
    quietly apt-get purge -y srt-router
    nothing_left
}

inside() {
    export DEBIAN_FRONTEND=noninteractive
    begin=$(date +%s)
    quietly apt-get update
    quietly apt-get install -y --no-install-recommends /root/srt-router.deb
    say "installed after $(($(date +%s) - begin)) s: $(srt-router --version)"
    srt-router config check
    [ "$(stat -c %U /var/lib/srt-router)" = srt-router ] || fail "/var/lib/srt-router is not the service's"

    start_server --demo-if-empty
    on_air
    say "first route on air after $(($(date +%s) - begin)) s"
    srt-router routes list
    srt-router ps
    srt-router users add --help >/dev/null
    srt-router doctor || true
    [ "$(stat -c %U /proc/$server)" = srt-router ] || fail "not the service's user"
    stop_server

    say "installed over itself: routes, users and settings stay"
    echo 'HEALTH_ATTEMPTS = 5' >>/etc/srt-router/srt-router.toml
    routes=$(md5sum /var/lib/srt-router/routes.json)
    quietly apt-get install -y --reinstall --no-install-recommends /root/srt-router.deb
    srt-router config show | grep 'HEALTH_ATTEMPTS = 5'
    [ "$routes" = "$(md5sum /var/lib/srt-router/routes.json)" ] || fail "routes.json is another"
    start_server
    on_air

    say "removed while on air"
    quietly apt-get remove -y srt-router
    wait $server || true
    [ -z "$(media_left)" ] || fail "processes are left: $(media_left)"
    [ -e /var/lib/srt-router/routes.json ] && [ -e /etc/srt-router/srt-router.toml ] || fail "a removal keeps what is configured"
    [ ! -e /opt/srt-router ] || fail "/opt/srt-router is left"

    say "purged"
    quietly apt-get purge -y srt-router
    nothing_left
    upgraded_on_air
    say "all good on $(. /etc/os-release && echo "$PRETTY_NAME")"
}

case ${1:-} in
    --inside) shift; inside "$@" ;;
    *) outside "$@" ;;
esac
