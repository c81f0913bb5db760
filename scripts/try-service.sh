#!/bin/sh
# Tries the systemd service on a machine that boots:  try-service.sh [suite [package.deb]]
#
# A new root file system of the suite (default: bookworm; made by try-fresh-machine.sh or try-package.sh before) boots
# its systemd in namespaces and a control group of its own, without a network. There the Debian package (default: the one
# try-package.sh has built) is installed, upgraded, reloaded, killed, stopped and removed, while a stream is on air. Needs
# root.
set -eu
cache=${FRESH_CACHE:-/var/tmp/srt-router-fresh}

say() { printf '\n=== %s\n' "$*"; }
fail() { printf '\n=== FAILED: %s\n' "$*"; exit 1; }

# --- outside ----------------------------------------------------------------------------------

outside() {
    suite=${1:-bookworm}
    package=${2:-$(ls -t "$cache/$suite"/root/srt-router.deb | head -n 1)}
    machine=$cache/$suite-service
    [ -d "$cache/$suite-base" ] || fail "no $cache/$suite-base: run scripts/try-fresh-machine.sh $suite first"
    if ! [ -e "$machine/lib/systemd/systemd" ]; then
        rm -rf "$machine"
        cp -a "$cache/$suite-base" "$machine"
        cp -a "$cache/$suite/etc/resolv.conf" "$cache/$suite/etc/hosts" "$machine/etc/"
        cp -a "$cache/$suite/etc/apt/apt.conf.d/." "$machine/etc/apt/apt.conf.d/"
        mkdir -p "$machine/usr/local/share/ca-certificates"
        cp -a "$cache/$suite/usr/local/share/ca-certificates/." "$machine/usr/local/share/ca-certificates/"
        say "installing systemd and what the package depends on"
        chroot "$machine" sh -c 'export DEBIAN_FRONTEND=noninteractive; apt-get update && apt-get install -y \
            --no-install-recommends systemd systemd-sysv dbus procps adduser python3 srt-tools ffmpeg' >"$cache/$suite-service.log" 2>&1 ||
            fail "see $cache/$suite-service.log"
    fi
    tried=$cache/$suite-service.tried
    rm -rf "$tried"
    cp -a "$machine" "$tried"
    cp "$package" "$tried/root/srt-router.deb"
    cp "$0" "$tried/root/try-service.sh"
    cat >"$tried/etc/systemd/system/try.service" <<UNIT
[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/sh /root/try-service.sh --inside
StandardOutput=file:/root/try.log
StandardError=inherit
ExecStopPost=/bin/systemctl --no-block poweroff
UNIT
    ln -s ../try.service "$tried/etc/systemd/system/multi-user.target.wants/try.service" 2>/dev/null || {
        mkdir -p "$tried/etc/systemd/system/multi-user.target.wants"
        ln -s ../try.service "$tried/etc/systemd/system/multi-user.target.wants/try.service"
    }
    instances=/proc/sys/fs/inotify/max_user_instances
    if [ "$(cat $instances)" -lt 512 ]; then
        say "raising fs.inotify.max_user_instances to 512: systemd needs some, and says nothing where there are none"
        echo 512 >$instances
    fi
    group=srt-router-try-$$
    for tree in systemd unified; do [ ! -d /sys/fs/cgroup/$tree ] || mkdir -p /sys/fs/cgroup/$tree/$group; done
    [ -d /sys/fs/cgroup/systemd ] || mkdir -p "/sys/fs/cgroup/$group"
    say "booting"
    sh "$0" --boot "$tried" "$group" >"$tried/root/boot.log" 2>&1 || true
    cat "$tried/root/try.log"
    for tree in systemd unified .; do find "/sys/fs/cgroup/$tree/$group" -depth -type d -exec rmdir {} + 2>/dev/null || true; done
    tail -n 1 "$tried/root/try.log" | grep -q '^=== all good' || fail "see above, and $tried/root"
}

boot() {  # in the new control group, then in new namespaces
    for tree in systemd unified .; do
        file=/sys/fs/cgroup/$tree/$2/cgroup.procs
        [ ! -e "$file" ] || echo $$ >"$file"
    done
    exec unshare --mount --pid --uts --ipc --net --cgroup --fork --kill-child --propagation private sh "$0" --enter "$1"
}

enter() {  # as process 1 of the new machine
    mount --bind "$1" "$1"
    cd "$1"
    mount -t proc proc proc
    mount -t sysfs -o ro sysfs sys
    if [ -d /sys/fs/cgroup/systemd ]; then
        mount -t tmpfs tmpfs sys/fs/cgroup
        mkdir sys/fs/cgroup/systemd sys/fs/cgroup/unified
        mount -t cgroup -o none,name=systemd cgroup sys/fs/cgroup/systemd
        mount -t cgroup2 cgroup2 sys/fs/cgroup/unified
    else
        mount -t cgroup2 cgroup2 sys/fs/cgroup
    fi
    mount -t tmpfs tmpfs dev
    for device in null zero full random urandom tty; do
        touch dev/$device
        mount --bind /dev/$device dev/$device
    done
    mkdir dev/pts dev/shm
    mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
    ln -s pts/ptmx dev/ptmx
    ln -s /proc/self/fd dev/fd
    for folder in dev/shm tmp run; do mount -t tmpfs tmpfs $folder; done
    ip link set lo up
    mkdir run/old-root
    pivot_root . run/old-root
    umount -l /run/old-root
    hostname try
    exec env -i container=lxc PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=console </dev/null
}

# --- inside -----------------------------------------------------------------------------------

quietly() { "$@" >/tmp/out 2>&1 || { tail -n 20 /tmp/out; fail "$*"; }; }
server_pid() { systemctl show -p MainPID --value srt-router; }
media() { pgrep -f '^srt-live-transmit|^/usr/bin/ffmpeg|^ffmpeg|duplicator.py|^udpDuplicator' | sort -n | tr '\n' ' '; }
answers() { python3 -c 'import urllib.request as u; u.urlopen("http://127.0.0.1:8080/api/health", timeout=5)' 2>/dev/null; }

until_() {  # seconds what… : wait until a command succeeds
    patience=$1
    shift
    for _ in $(seq $((patience * 5))); do
        if "$@" >/dev/null 2>&1; then return 0; fi
        sleep 0.2
    done
    systemctl status srt-router --no-pager || true
    journalctl -u srt-router --no-pager -n 30 || true
    fail "not within $patience s: $*"
}

on_air() { answers && srt-router routes list | grep -q ' running '; }
another_server() { [ "$(server_pid)" != "$1" ] && [ "$(server_pid)" != 0 ]; }
same() { [ "$1" = "$2" ] || { journalctl -u srt-router --no-pager -n 40; fail "$3: $1 became $2"; }; }

inside() {
    export DEBIAN_FRONTEND=noninteractive HOME=/root
    quietly dpkg -i /root/srt-router.deb
    until_ 30 systemctl is-active srt-router
    say "installed, enabled and ready: $(srt-router --version), $(systemctl show -p StatusText --value srt-router)"
    systemctl is-enabled srt-router
    systemd-analyze verify /usr/lib/systemd/system/srt-router.service
    systemd-analyze security srt-router.service --no-pager | tail -n 1
    cat >/tmp/route.json <<JSON
{"name": "Pattern", "autoStart": true, "source": {"type": "srt", "mode": "listener", "port": 9710}, "testSource": true,
 "destinations": [{"type": "srt", "mode": "listener", "port": 9711}, {"type": "udp", "host": "127.0.0.1", "port": 9712}]}
JSON
    srt-router routes add - </tmp/route.json
    until_ 30 on_air
    first=$(media)
    say "on air: processes $first"
    srt-router ps | cut -c 1-100

    server=$(server_pid)
    systemctl reload srt-router
    until_ 30 journalctl_says "goes on\|replac\|takes over"
    until_ 20 on_air
    same "$server" "$(server_pid)" "reload: the server's PID"
    same "$first" "$(media)" "reload: the processes"
    say "reloaded: the same server, the same processes"

    dpkg-deb -R /root/srt-router.deb /tmp/newer
    sed -i 's/^Version: .*/&+1/' /tmp/newer/DEBIAN/control
    quietly dpkg-deb -Znone -b /tmp/newer /tmp/newer.deb
    quietly dpkg -i /tmp/newer.deb
    until_ 20 on_air
    sleep 2
    same "$server" "$(server_pid)" "upgrade: the server's PID"
    same "$first" "$(media)" "upgrade: the processes"
    say "package upgraded to $(dpkg-query -W -f '${Version}' srt-router): the same server, the same processes"

    kill -KILL "$server"
    until_ 30 another_server "$server"
    until_ 30 on_air
    [ "$(media | wc -w)" = "$(echo "$first" | wc -w)" ] || fail "killed: processes $first became $(media)"
    [ "$(media)" != "$first" ] || fail "killed: with KillMode=mixed nothing should be left"
    say "server killed: systemd has started it again, with new processes: $(media)"

    mkdir -p /etc/systemd/system/srt-router.service.d
    cp /usr/share/doc/srt-router/systemd/srt-router.service.d/adopt.conf /etc/systemd/system/srt-router.service.d/
    printf '[Service]\nWatchdogSec=5\n' >/etc/systemd/system/srt-router.service.d/watchdog.conf
    systemctl daemon-reload
    systemctl restart srt-router
    until_ 30 on_air
    adopted=$(media)
    server=$(server_pid)
    kill -KILL "$server"
    until_ 30 another_server "$server"
    until_ 30 on_air
    same "$adopted" "$(media)" "adopt, killed: the processes"
    say "with adopt.conf, server killed: the next one has taken over $adopted"

    srt-router upgrade-stop
    until_ 10 inactive
    same "$adopted" "$(media)" "adopt, upgrade-stop: the processes"
    systemctl start srt-router
    until_ 30 on_air
    same "$adopted" "$(media)" "adopt, started again: the processes"
    say "stopped for an upgrade and started: the same processes"

    server=$(server_pid)
    kill -STOP "$server"
    until_ 60 another_server "$server"
    until_ 30 on_air
    same "$adopted" "$(media)" "watchdog: the processes"
    say "server frozen: the watchdog has replaced it, the processes are the same"

    systemctl stop srt-router
    [ -z "$(media)" ] || fail "stopped, and left: $(media)"
    say "stopped: nothing is left"
    systemctl start srt-router
    until_ 30 on_air
    quietly dpkg -r srt-router
    [ -z "$(media)" ] || fail "removed, and left: $(media)"
    quietly dpkg -P srt-router
    [ ! -e /var/lib/srt-router ] && [ ! -e /etc/srt-router ] && ! id srt-router 2>/dev/null || fail "purged, and left"
    say "removed and purged: nothing is left"
    say "all good on $(. /etc/os-release && echo "$PRETTY_NAME"), systemd $(systemctl --version | head -n 1)"
}

journalctl_says() { journalctl -u srt-router --no-pager | grep -q "$1"; }
inactive() { ! systemctl is-active --quiet srt-router; }

case ${1:-} in
    --boot) shift; boot "$@" ;;
    --enter) shift; enter "$@" ;;
    --inside) inside ;;
    *) outside "$@" ;;
esac
