#!/bin/sh
# Tries ./run and ./test on a machine that has nothing but git:  try-fresh-machine.sh [suite [part…]]
#
# A minimal Debian or Ubuntu (default: bookworm) is made by debootstrap, once, in $FRESH_CACHE
# (default /var/tmp/srt-router-fresh); each try gets a new copy of it, with the files of this checkout as
# they are now. It has processes and mounts of its own and shares the network. Needs root and debootstrap.
#
#   MIRROR=url            where the packages come from (default: as this machine's apt, else debootstrap's)
#   EXTRA_CA=file.crt     one more certificate authority to trust, for proxies that inspect TLS
#                         (default: those in /usr/local/share/ca-certificates)
#   KEEP=1                use the copy of the last try again: a warm start
#   INSIDE=script         what is tried there instead (scripts/try-package.sh does so); BRING="file…": copied to its /root
set -eu

cache=${FRESH_CACHE:-/var/tmp/srt-router-fresh}
checkout=/srv/srt-router

say() { printf '\n=== %s\n' "$*"; }
fail() { printf '\n=== FAILED: %s\n' "$*"; exit 1; }

# --- outside ----------------------------------------------------------------------------------

ubuntu() { case $suite in jammy | noble | questing | resolute) return 0 ;; *) return 1 ;; esac }

mirror() {  # the one that this machine's apt uses, if it is of the same distribution
    if ubuntu; then of=ubuntu default=http://archive.ubuntu.com/ubuntu; else of=debian default=http://deb.debian.org/debian; fi
    # shellcheck disable=SC2016 # apt's own variable
    of_apt=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null | grep -m 1 "/$of/*$" || true)
    echo "${MIRROR:-${of_apt:-$default}}"
}

make_base() {
    command -v debootstrap >/dev/null || fail "debootstrap is not installed"
    components=main
    script=
    if ubuntu; then
        components=main,universe
        # a debootstrap that is older than the suite does not know that it is made as all Ubuntus are
        [ -e "/usr/share/debootstrap/scripts/$suite" ] || script=/usr/share/debootstrap/scripts/gutsy
    fi
    say "making a minimal $suite in $base"
    rm -rf "$base" "$base.part"
    # shellcheck disable=SC2086 # no script is no word
    debootstrap --variant=minbase --components=$components --include=git "$suite" "$base.part" "$(mirror)" $script \
        >"$cache/$suite.log" 2>&1 || { tail -n 5 "$cache/$suite.log"; fail "debootstrap; see $cache/$suite.log"; }
    grep '^W:' "$cache/$suite.log" || true  # such as a signature that nobody here has the key for
    mv "$base.part" "$base"
}

copy_network_settings() {  # what a machine on this network would have been given
    cp -L /etc/resolv.conf /etc/hosts "$fresh/etc/"
    for file in /etc/apt/apt.conf.d/*; do
        grep -qE '^ *Acquire::(Check|http|https|ftp|Retries|ForceIPv)' "$file" && cp "$file" "$fresh/etc/apt/apt.conf.d/"
    done
    mkdir -p "$fresh/usr/local/share/ca-certificates"
    if [ -n "${EXTRA_CA:-}" ]; then
        cp "$EXTRA_CA" "$fresh/usr/local/share/ca-certificates/extra.crt"
    else
        cp /usr/local/share/ca-certificates/*.crt "$fresh/usr/local/share/ca-certificates/" 2>/dev/null || true
    fi
}

outside() {
    suite=${1:-bookworm}
    [ $# -eq 0 ] || shift
    [ "$(id -u)" -eq 0 ] || fail "this needs root"
    base=$cache/$suite-base
    fresh=$cache/$suite
    here=$(dirname "$(dirname "$(readlink -f "$0")")")
    mkdir -p "$cache"
    [ -d "$base" ] || make_base
    if [ -z "${KEEP:-}" ] || ! [ -d "$fresh" ]; then
        rm -rf "$fresh"
        cp -a "$base" "$fresh"
    fi
    copy_network_settings
    # shellcheck disable=SC2086 # words are meant to be split
    [ -z "${BRING:-}" ] || cp $BRING "$fresh/root/"
    mkdir -p "$fresh$checkout"
    (cd "$here" && git ls-files -z --cached --others --exclude-standard | xargs -0 sh -c 'for file; do [ ! -e "$file" ] || printf "%s\0" "$file"; done' - |
        tar -c --null --files-from=-) | tar -x --no-same-owner -C "$fresh$checkout"
    # Its own mounts and processes: when this ends, however it ends, nothing is left of either.
    exec unshare --mount --pid --fork --kill-child --propagation private sh "$0" --enter "$fresh" "$@"
}

enter() {  # as process 1 of the new machine
    fresh=$1
    shift
    mount --bind "$fresh" "$fresh"
    cd "$fresh"
    mount -t proc proc proc
    mount --rbind /sys sys
    mount --rbind /dev dev
    mount -t tmpfs tmpfs tmp
    mount -t tmpfs tmpfs run
    mkdir -p run/old-root
    pivot_root . run/old-root
    cd "$checkout"
    umount -l /run/old-root
    # shellcheck disable=SC2046,SC2086 # words are meant to be split
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM="${TERM:-dumb}" \
        $(env | grep -E '^(https?_proxy|HTTPS?_PROXY|no_proxy|NO_PROXY|PIP_INDEX_URL|PIP_DEFAULT_TIMEOUT|UV_DEFAULT_INDEX)=' || true) \
        sh ${INSIDE:-scripts/try-fresh-machine.sh --inside} "$@" &
    wait $!
}

# --- inside -----------------------------------------------------------------------------------

now_ms() { date +%s%3N; }

timed() {  # what command…
    what=$1
    shift
    begin=$(now_ms)
    code=0
    "$@" || code=$?
    say "$what: exit $code after $(($(now_ms) - begin)) ms"
    return $code
}

as_nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups env HOME=/tmp/nobody "$@"; }

try_without_rights() {
    say "as a user who may install nothing"
    if as_nobody ./run >/tmp/out 2>&1; then fail "./run worked without its packages"; fi
    cat /tmp/out
    [ "$(wc -l </tmp/out)" -eq 1 ] || fail "one line was expected"
}

media_left() { grep -lsaE '[s]rt-live-transmit|[f]fmpeg|[d]uplicator.py' /proc/[0-9]*/cmdline | grep -v "/$$/" || true; }

answers() {  # the server says where it answers; that it does is checked with what every machine has by now
    url=$(grep -oE 'https?://[0-9.]+:[0-9]+' /tmp/server.log | head -n 1)
    [ -n "$url" ] && python3 -c 'import sys, urllib.request as u; sys.exit(u.urlopen(sys.argv[1], timeout=5).status != 200)' "$url/api/health" 2>/dev/null
}

try_run() {
    say "./run, $1"
    begin=$(now_ms)
    ./run >/tmp/server.log 2>&1 &
    server=$!
    while ! answers; do
        kill -0 $server 2>/dev/null || { cat /tmp/server.log; fail "./run ended by itself"; }
        [ $(($(now_ms) - begin)) -lt 300000 ] || { cat /tmp/server.log; fail "no answer within five minutes"; }
        sleep 0.1
    done
    say "the server answers after $(($(now_ms) - begin)) ms"
    sleep 5  # let the demo route come on air, to be seen in the log
    media=$(media_left)
    say "media processes: $(echo "$media" | grep -c .)"
    kill -TERM $server
    code=0
    wait $server || code=$?
    cat /tmp/server.log
    media=$(media_left)
    say "stopped with exit $code; media processes left: $(echo "$media" | grep -c .)"
    [ $code -eq 0 ] && [ -z "$media" ] || fail "a stop ends with exit 0 and leaves no process"
}

inside() {
    mkdir -p /tmp/nobody && chown 65534 /tmp/nobody
    if ! [ -d .venv ]; then try_without_rights; fi
    try_run "first start"
    try_run "second start"
    timed "./test $*, first" ./test "$@" || tested=failed
    timed "set-up for ./run with nothing to do" sh scripts/setup.sh run
    say "isolation for somebody who is not root"
    as_nobody .venv/bin/python tests/harness/isolate.py sh -c 'id -u; ls /proc | grep -c "^[0-9]"' || tested=failed
    [ -z "${tested:-}" ] || fail "see above"
    say "all good on $(. /etc/os-release && echo "$PRETTY_NAME")"
}

case ${1:-} in
    --enter) shift; enter "$@" ;;
    --inside) shift; inside "$@" ;;
    *) outside "$@" ;;
esac
