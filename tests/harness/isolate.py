#!/usr/bin/env python3
"""Runs a command where it can kill only its own:  isolate.py command [argument…]

The product kills every srt-live-transmit that nobody owns. A test suite that does so on a machine that
is on air takes it off air. So the command gets PID, mount and network namespaces of its own:

- it sees and signals no process but its own, and whatever it leaves behind ends with it;
- /tmp, /run and /dev/shm are new and empty (a checkout that lies there stays reachable);
- the only interface is a loopback interface of its own: no port is taken, nothing leaves the machine.

PID 1 in there is this program: like a real init it reaps orphans; it passes signals on to the command
and ends with the command's exit status. As root it needs nothing; as another user it takes a user
namespace. Only the standard library, because it runs before anything else is known to work.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import socket
import struct
import sys
from pathlib import Path
from typing import NoReturn

INIT_NAME = "test-init"
"""What PID 1 in the namespace is called (/proc/1/comm)."""
MARK = "TEST_ISOLATION"
"""The environment variable that says that a process runs in here."""

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x00020000, 0x10000000, 0x20000000, 0x40000000
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 0x2, 0x4, 0x8, 0x1000, 0x4000, 0x40000
PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15
SIOCSIFFLAGS, IFF_UP_RUNNING = 0x8914, 0x41
SI_KERNEL = 0x80
PASSED_ON = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT}
PRIVATE = ("/tmp", "/run", "/dev/shm")

libc = ctypes.CDLL(None, use_errno=True)


def is_isolated() -> bool:
    """Whether this process runs in here: the mark alone could have been inherited by mistake."""
    return MARK in os.environ and Path("/proc/1/comm").read_text().strip() == INIT_NAME


def main() -> NoReturn:
    """Enter the namespaces, become init there, and end as the command ended."""
    command = sys.argv[1:]
    if not command:
        sys.exit("usage: isolate.py command [argument…]")
    signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON | {signal.SIGCHLD})
    for number in PASSED_ON:  # nohup and shells in the background hand some on as ignored, and tests send them
        signal.signal(number, signal.SIG_DFL)
    sys.stdout.flush()
    try:
        enter_namespaces()
        ready_r, ready_w = os.pipe()
        init = os.fork()  # the first child is PID 1 of the new namespace
        if init == 0:
            os.close(ready_w)
            call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if not os.read(ready_r, 1):  # our parent had died before the line above
                os._exit(1)
            os.close(ready_r)
            call("prctl", PR_SET_NAME, INIT_NAME.encode(), 0, 0, 0)
            make_private()
            bring_loopback_up()
            os.environ[MARK] = "1"
            os._exit(be_init(command))
    except OSError as error:
        sys.stderr.write(
            f"isolate: {error}. Tests that start processes need namespaces of their own: run them as root, "
            "or allow user namespaces (in a container: give it the capability SYS_ADMIN).\n"
        )
        os._exit(1)
    os.close(ready_r)
    os.write(ready_w, b"\n")
    os._exit(wait_for(init))


def call(name: str, *arguments: object) -> None:
    """Call a function of libc; OSError if it fails."""
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def mount(source: str, target: str, kind: str | None, flags: int) -> None:
    """mount(2)."""
    call("mount", source.encode(), target.encode(), kind and kind.encode(), ctypes.c_ulong(flags), None)


def enter_namespaces() -> None:
    """Take new namespaces; our next child is the first process in them."""
    uid, gid = os.geteuid(), os.getegid()
    flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET
    if uid == 0:
        call("unshare", flags)
        return
    call("unshare", flags | CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1")


def make_private() -> None:
    """A /proc of this namespace, and empty directories instead of those that all processes share."""
    here = Path.cwd()
    checkout = Path(__file__).resolve().parents[2]
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    kept = os.open(checkout, os.O_PATH)
    for shared in (*PRIVATE, *closed_to_others(checkout)):
        if Path(shared).is_dir() and not Path(shared).is_symlink():
            mount("tmpfs", shared, "tmpfs", MS_NOSUID | MS_NODEV)
            Path(shared).chmod(0o1777 if shared != "/run" else 0o755)
    if not checkout.exists():
        checkout.mkdir(parents=True)
        mount(f"/proc/self/fd/{kept}", str(checkout), None, MS_BIND | MS_REC)
    os.close(kept)
    os.environ.pop("TMPDIR", None)
    os.chdir(here if here.exists() else checkout)  # not only for the look of it: `.` was under the old /tmp


def closed_to_others(checkout: Path) -> list[str]:
    """The folder above the checkout that other users may not enter, such as /root; none if they reach it.

    Some tests run as another user, and must find the checkout.
    """
    above = [folder for folder in reversed(checkout.parents) if not folder.stat().st_mode & 0o001]
    if os.geteuid() != 0 or not above or Path(sys.base_prefix).is_relative_to(above[0]):
        return []
    return [str(above[0])]


def bring_loopback_up() -> None:
    """`ip link set lo up`, on machines that have no `ip`."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP_RUNNING))


def be_init(command: list[str]) -> int:
    """Run the command as PID 1 must: reap every orphan, leave nothing behind."""
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON | {signal.SIGCHLD})
        try:
            os.execvp(command[0], command)  # noqa: S606  no shell: that is the point
        except OSError as error:
            sys.stderr.write(f"isolate: {command[0]}: {error.strerror}\n")
            os._exit(127)
    status = wait_for(child)
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()
    return status


def wait_for(child: int) -> int:
    """Pass signals on to a child and reap until it ended; its exit status, 128 + number for a signal."""
    while True:
        info = signal.sigwaitinfo(PASSED_ON | {signal.SIGCHLD})
        if info.si_signo != signal.SIGCHLD:
            if info.si_code != SI_KERNEL:  # what a terminal sends, it sends to all of us
                os.kill(child, info.si_signo)
            continue
        ended = reap()
        if child in ended:
            code = os.waitstatus_to_exitcode(ended[child])
            return code if code >= 0 else 128 - code


def reap() -> dict[int, int]:
    """The wait status of every child that has ended, by PID."""
    ended = {}
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            ended[pid] = status
    return ended


if __name__ == "__main__":
    main()
