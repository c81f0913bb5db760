#!/bin/sh
# Tries the Debian package on a machine that has nothing:  try-package.sh [suite]
#
# Builds it in one new root file system of the suite (default: bookworm; see try-fresh-machine.sh), installs it with apt in
# another, uses it as README and docs/deployment.md say, installs it over itself, removes and purges it. Needs root and
# debootstrap. No systemd runs there: what the unit does is done by hand.
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
    say "installing it on another new $suite"
    BRING="$package/srt-router.deb" INSIDE="scripts/try-package.sh --inside" \
        sh "$checkout/scripts/try-fresh-machine.sh" "$suite"
}

quietly() { "$@" >/tmp/out 2>&1 || { tail -n 20 /tmp/out; fail "$*"; }; }
media_left() { grep -lsaE '[s]rt-live-transmit|[f]fmpeg|[d]uplicator.py' /proc/[0-9]*/cmdline || true; }
answers() { python3 -c 'import urllib.request as u; u.urlopen("http://127.0.0.1:8080/api/health", timeout=5)' 2>/dev/null; }

start_server() {
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

inside() {
    export DEBIAN_FRONTEND=noninteractive
    begin=$(date +%s)
    quietly apt-get update
    quietly apt-get install -y --no-install-recommends /root/srt-router.deb
    say "installed after $(($(date +%s) - begin)) s: $(srt-router --version)"
    srt-router config check
    [ "$(stat -c %U /var/lib/srt-router)" = srt-router ] || fail "/var/lib/srt-router is not the service's"

    start_server --demo-if-empty
    until srt-router routes list | grep -q running; do sleep 0.5; done
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
    until srt-router routes list | grep -q running; do sleep 0.5; done

    say "removed while on air"
    quietly apt-get remove -y srt-router
    wait $server || true
    [ -z "$(media_left)" ] || fail "processes are left: $(media_left)"
    [ -e /var/lib/srt-router/routes.json ] && [ -e /etc/srt-router/srt-router.toml ] || fail "a removal keeps what is configured"
    [ ! -e /opt/srt-router ] || fail "/opt/srt-router is left"

    say "purged"
    quietly apt-get purge -y srt-router
    left=$(find / -xdev \( -path /srv -o -path /proc -o -path /sys -o -path /dev -o -path /root \) -prune -o -name '*srt-router*' -print |
        grep -v '^/var/lib/dpkg\|^/var/cache/apt' || true)
    [ -z "$left" ] || fail "left: $left"
    ! id srt-router 2>/dev/null || fail "the user is left"
    say "all good on $(. /etc/os-release && echo "$PRETTY_NAME")"
}

case ${1:-} in
    --inside) shift; inside "$@" ;;
    *) outside "$@" ;;
esac
