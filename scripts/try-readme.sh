#!/bin/sh
# Follows the README on a machine that has nothing but git, and prints what was typed and answered:  try-readme.sh [suite]
#
# The machine is a new root file system (default: bookworm; see try-fresh-machine.sh). There is no screen: ffprobe looks
# where the README has ffplay. Needs root and debootstrap.
set -eu
checkout=$(dirname "$(dirname "$(readlink -f "$0")")")

fail() { printf '\n=== FAILED: %s\n' "$*"; exit 1; }

outside() {
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    git clone -q "$checkout" "$work/srt-router"
    (cd "$checkout" && git ls-files -z --cached --others --exclude-standard | xargs -0 sh -c 'for file; do [ ! -e "$file" ] || printf "%s\0" "$file"; done' - |
        tar -c --null --files-from=-) | tar -x --no-same-owner -C "$work/srt-router"
    cd "$work/srt-router"
    git add -A
    git -c user.name=try -c user.email=try@localhost commit -q --allow-empty -m "as it is now"
    git bundle create -q "$work/srt-router.git" HEAD "$(git branch --show-current)"
    BRING="$work/srt-router.git" INSIDE="scripts/try-readme.sh --inside" sh "$checkout/scripts/try-fresh-machine.sh" "${1:-bookworm}"
}

since() { echo "# $(($(date +%s) - begin)) s after the first command"; }
typed() { printf '\n$ %s\n' "$1"; sh -c "$1" 2>&1; }
until_() {
    tries=0
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 1500 ] || fail "not within five minutes: $*"
        sleep 0.2
    done
}
running() { .venv/bin/srt-router routes list | grep -q "$1[0-9]*  *running"; }

inside() {
    export DEBIAN_FRONTEND=noninteractive
    begin=$(date +%s)
    cd /root
    git config --global init.defaultBranch main  # or git talks about the choice of a name
    printf '$ git clone <this repository> srt-router && cd srt-router\n'
    git clone -q /root/srt-router.git srt-router
    cd srt-router
    printf '\n$ ./run\n'
    ./run >/tmp/out 2>&1 &
    server=$!
    until_ running route_  # the demo
    cat /tmp/out
    since
    shown=$(wc -l </tmp/out)

    printf '\n# in another terminal\n'
    typed "ffprobe 'srt://127.0.0.1:9711?mode=caller' 2>&1 | grep 'Stream #'"
    typed "apt install -y curl >/dev/null 2>&1; .venv/bin/srt-router routes list"
    python3 - <<'PYTHON'
import re
text = re.search(r"```json\n(.*?)```", open("README.md").read(), re.DOTALL)[1]
for theirs, ours in (("192.0.2.7", "127.0.0.1"), ("239.10.0.1", "127.0.0.1"), (', "ttl": 8, "interface": "192.0.2.1"', "")):
    text = text.replace(theirs, ours)
open("/root/routes.json", "w").write(text)
PYTHON
    printf '\n# routes.json of the README, with addresses of this machine\n'
    typed "cp /root/routes.json /var/lib/srt-router/routes.json"
    until_ sh -c '.venv/bin/srt-router routes list | grep "Paris feed"'
    typed ".venv/bin/srt-router routes list"
    sender=$(grep '^ffmpeg -re' README.md)
    printf '\n# in a third terminal\n$ %s\n' "$sender"
    sh -c "exec $sender" >/dev/null 2>&1 &
    sender=$!
    until_ running route_1761154355576
    since
    typed "ffprobe 'srt://127.0.0.1:6000?mode=caller' 2>&1 | grep 'Stream #'"
    printf '\n$ TOKEN=$(.venv/bin/srt-router tokens add try --role operator)\n'
    TOKEN=$(.venv/bin/srt-router tokens add try --role operator)
    export TOKEN
    typed 'curl -s -H "Authorization: Bearer $TOKEN" localhost:8080/api/routes | cut -c 1-300'
    typed 'curl -s -H "Authorization: Bearer $TOKEN" -X POST localhost:8080/api/routes/route_1761154355576/restart | cut -c 1-120'
    typed ".venv/bin/srt-router ps | cut -c 1-110"
    typed ".venv/bin/srt-router doctor" || true
    kill $sender 2>/dev/null || true
    wait $sender 2>/dev/null || true
    printf '\n# the first terminal has said meanwhile, to its end by SIGTERM, which does what Ctrl-C does:\n'
    kill -TERM $server
    code=0
    wait $server || code=$?
    tail -n +$((shown + 1)) /tmp/out
    left=$(grep -lsaE '[s]rt-live-transmit|[d]uplicator.py' /proc/[0-9]*/cmdline | wc -l)
    printf '# exit status %s, processes left: %s\n' $code "$left"
    since
    [ $code -eq 0 ] && [ "$left" -eq 0 ]
}

case ${1:-} in
    --inside) inside ;;
    *) outside "$@" ;;
esac
