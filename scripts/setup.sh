#!/bin/sh
# Sets up whatever ./run or ./test still needs:  setup.sh run | setup.sh test [part…]
#
# On a bare Debian or Ubuntu: the programs by apt-get, uv (pinned) in .tools/, the Python packages of
# uv.lock in .venv/, the console out of web/. It says what it does, and says nothing when there is nothing to do.
set -eu

uv_version=0.13.9
python=/usr/bin/python3  # the one apt keeps up to date; uv never downloads another
rmem_needed=4000000      # the buses ask for socket buffers of this size
rmem_wanted=8388608      # what we raise the limit to: it reserves nothing, and leaves room to double them

purpose=${1:-run}
[ $# -eq 0 ] || shift
root=$(dirname "$(dirname "$(readlink -f "$0")")")
cd "$root"

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# --- programs ---------------------------------------------------------------------------------

wants_browser() {  # tests/browser exists, and is among the parts to run
    [ "$purpose" = test ] && [ -d tests/browser ] || return 1
    [ $# -gt 0 ] || return 0
    for part; do
        case $part in --) break ;; browser) return 0 ;; esac
    done
    [ "$1" = -- ]
}

missing_packages() {  # prints the Debian packages that are missing, judged by what they bring
    command -v srt-live-transmit >/dev/null || echo srt-tools
    command -v ffmpeg >/dev/null || echo ffmpeg
    [ -x $python ] || echo python3
    # venv is for making .tools only; Debian keeps the part it needs, ensurepip, in a package of its own
    if ! [ -x .tools/bin/uv ] && ! $python -c 'import ensurepip, venv' 2>/dev/null; then echo python3-venv; fi
    [ -s /etc/ssl/certs/ca-certificates.crt ] || echo ca-certificates
    [ -e /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf ] || echo fonts-dejavu-core
    if wants_browser "$@" && ! command -v chromium >/dev/null; then echo chromium; fi
}

install_packages() {
    line="apt-get install -y --no-install-recommends $*"
    command -v apt-get >/dev/null || die "not found: what these Debian packages bring: $*. Please install it."
    if [ "$(id -u)" -eq 0 ]; then
        as_root=
    elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
        as_root=sudo
    else
        die "these packages are missing; as root, please run: apt-get update && $line"
    fi
    say "installing: $line"
    log=$(mktemp)
    for command in "apt-get update" "$line"; do
        # shellcheck disable=SC2086 # words are meant to be split
        $as_root env DEBIAN_FRONTEND=noninteractive $command </dev/null >"$log" 2>&1 || {
            tail -n 20 "$log" >&2
            rm -f "$log"
            die "failed: $command"
        }
    done
    rm -f "$log"
}

# --- Python packages --------------------------------------------------------------------------

synced_state() {  # what a sync depends on: a checkout that moved or a new Python makes .venv useless
    readlink -f $python
    pwd -P
    cat uv.lock pyproject.toml
}

install_uv() {
    [ "$(.tools/bin/uv --version 2>/dev/null | cut -d ' ' -f 2)" != $uv_version ] || return 0
    say "installing uv $uv_version into .tools/"
    $python -m venv --clear .tools
    .tools/bin/python -m pip install --quiet --disable-pip-version-check "uv==$uv_version" ||
        die "pip could not install uv $uv_version: is the package index reachable? (PIP_INDEX_URL, HTTPS_PROXY, PIP_CERT)"
}

sync_packages() {  # state
    [ -w . ] || die "$root belongs to somebody else: run this as its owner, $(stat -c %U .)"
    mkdir -p .tools
    exec 9>.tools/lock
    flock 9  # two first starts at once
    install_uv
    if [ "$(cat .venv/state 2>/dev/null)" != "$moved" ] || ! .venv/bin/python -c '' 2>/dev/null; then
        rm -rf .venv  # its scripts name a place or a Python that is no longer there
    fi
    say "installing the Python packages of uv.lock into .venv/"
    only=
    [ "$purpose" = test ] || only="--no-dev --inexact"
    # shellcheck disable=SC2086 # words are meant to be split
    UV_PROJECT_ENVIRONMENT=.venv .tools/bin/uv sync --quiet --frozen --compile-bytecode --python $python $only ||
        die "uv sync failed (behind a proxy or mirror: HTTPS_PROXY, UV_DEFAULT_INDEX, SSL_CERT_FILE)"
    echo "$moved" >.venv/state
    echo "$1" >".venv/synced-$purpose"
    exec 9>&-
}

python_packages() {
    moved="$(pwd -P) $(readlink -f $python)"
    state=$(synced_state | sha256sum)
    for stamp in .venv/synced-test ".venv/synced-$purpose"; do  # ./test installs all that ./run needs
        if [ "$(cat "$stamp" 2>/dev/null)" = "$state" ] && .venv/bin/python -c '' 2>/dev/null; then return; fi
    done
    sync_packages "$state"
}

compile_our_own() {  # where PYTHONDONTWRITEBYTECODE is set, every start would compile everything anew: a second each time
    [ -w src ] || return 0
    .venv/bin/python -m compileall -q src >/dev/null 2>&1 || true  # what cannot be compiled is said by whoever runs it
}

# --- console ----------------------------------------------------------------------------------

console=src/srt_router/console  # what the server serves, and the wheel holds

console_sources() {  # one line that differs when anything does that the console is built from
    find web -name node_modules -prune -o -type f ! -name schema.d.ts -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum
}

install_node() {  # Debian's is too old for the build tools; the package index has one for every machine
    install_uv
    UV_PROJECT_ENVIRONMENT=.tools/node .tools/bin/uv sync --quiet --frozen --python $python --only-group console || return 1
    export npm_config_cache="$root/.tools/npm" npm_config_update_notifier=false
    authorities=/etc/ssl/certs/ca-certificates.crt  # node trusts its own list only: a proxy that inspects TLS is not on it
    if [ -z "${NODE_EXTRA_CA_CERTS:-}" ] && [ -s $authorities ]; then export NODE_EXTRA_CA_CERTS=$authorities; fi
    lock=$(sha256sum <web/package-lock.json)
    [ "$(cat web/node_modules/.state 2>/dev/null)" = "$lock" ] && return 0
    (cd web && PATH=$root/.tools/node/bin:$PATH npm ci --no-audit --no-fund --loglevel=error >/dev/null) || return 1
    echo "$lock" >web/node_modules/.state
}

build_console() {
    say "building the console out of web/"
    install_node || return 1
    (cd web && PATH=$root/.tools/node/bin:$PATH npm run --silent build -- --logLevel error) || return 1
    echo "$1" >$console/.state
}

ready_console() {
    sources=$(console_sources)
    if [ "$(cat $console/.state 2>/dev/null)" = "$sources" ] &&
        { [ "$purpose" = run ] || [ -f web/node_modules/.state ]; }; then return; fi
    mkdir -p .tools
    exec 9>.tools/lock
    flock 9
    if ! build_console "$sources"; then
        trouble="the console could not be built: is the npm registry reachable? (npm_config_registry, HTTPS_PROXY)"
        [ "$purpose" = run ] || die "$trouble"
        say "WARNING: $trouble. The server starts without it, or with the one that was built before."
    fi
    exec 9>&-
}

# --- kernel -----------------------------------------------------------------------------------

receive_buffers() {  # with the stock limit a burst of key frames overflows a bus, and packets are lost
    limit=/proc/sys/net/core/rmem_max
    [ -r $limit ] || return 0  # inside some containers; `srt-router doctor` measures instead
    [ "$(cat $limit)" -lt $rmem_needed ] || return 0
    raise="echo $rmem_wanted >$limit"
    if { [ "$(id -u)" -eq 0 ] && sh -c "$raise"; } 2>/dev/null ||
        { command -v sudo >/dev/null && sudo -n sh -c "$raise"; } 2>/dev/null; then
        say "raised net.core.rmem_max to $rmem_wanted, so that no packets are lost; until the next boot" \
            "(to keep it, write the line net.core.rmem_max=$rmem_wanted to /etc/sysctl.d/60-srt-router.conf)"
    else
        say "WARNING: net.core.rmem_max is $(cat $limit): packets will be lost in bursts." \
            "As root, on the machine itself (not in a container): sysctl -w net.core.rmem_max=$rmem_wanted"
    fi
}

# ----------------------------------------------------------------------------------------------

packages=$(missing_packages "$@")
# shellcheck disable=SC2086 # words are meant to be split
[ -z "$packages" ] || install_packages $packages
$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' || die "$python is older than 3.11: Debian 12 or Ubuntu 24.04 has a newer one"
python_packages
compile_our_own
ready_console
receive_buffers
