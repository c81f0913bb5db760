"""What /proc says of a process. Everything here reads; nothing here signals.

A process can end between any two reads, so every function answers None for one that is gone.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SRT_LIVE_TRANSMIT = "srt-live-transmit"
_MAX_ENVIRON = 256 * 1024
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
"""Clock ticks per second, the unit of times in /proc."""
_ENV_END = 48
"""Where the end of the environment stands in /proc/PID/stat, counted from the state."""


@dataclass(frozen=True, slots=True)
class Stat:
    """The fields of /proc/PID/stat that matter here."""

    pid: int
    comm: str
    state: str
    """One letter: R, S, D, T, Z (dead, not yet reaped), X …"""
    ppid: int
    pgid: int
    cpu_ticks: int
    """User and system time used, in clock ticks."""
    start_ticks: int
    """Start time in clock ticks since boot (10 ms steps): not unique under fast PID reuse."""
    rss_pages: int

    @property
    def dead(self) -> bool:
        """True for a process that has ended and only waits to be reaped."""
        return self.state in "ZXx"

    @property
    def cpu_s(self) -> float:
        """Processor seconds used since its start."""
        return self.cpu_ticks / CLOCK_TICKS


def pids() -> list[int]:
    """All PIDs of this PID namespace."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - half the time of iterdir


def read(path: str, limit: int = 65536) -> bytes | None:
    """The first `limit` bytes of a /proc file, or None when the process is gone or not ours to read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        data = os.read(fd, min(limit, 65536))
        if len(data) < 4096:  # /proc gives a short read only at the end of these files
            return data
        chunks = [data]
        while data and sum(map(len, chunks)) < limit:
            data = os.read(fd, min(limit, 65536))
            chunks.append(data)
        return b"".join(chunks)
    except OSError:
        return None
    finally:
        os.close(fd)


def read_table(path: str) -> bytes:
    """The whole of a table such as /proc/net/udp, empty if it cannot be read.

    The kernel hands such a file out a few records at a time: only an empty read is its end.
    """
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - as cheap as it gets
            return b"".join(iter(lambda: file.read(65536), b""))
    except OSError:
        return b""


def stat(pid: int) -> Stat | None:
    """/proc/PID/stat, or None if there is no such process."""
    raw = read(f"/proc/{pid}/stat", 4096)
    return parse_stat(raw) if raw else None


def parse_stat(raw: bytes) -> Stat | None:
    """Parse a stat line; the name may hold spaces and brackets, so it ends at the last `)`."""
    left, right = raw.find(b"("), raw.rfind(b")")
    rest = raw[right + 2 :].split()
    if left < 0 or right < 0 or len(rest) < 22:
        return None
    return Stat(
        pid=int(raw[:left]),
        comm=raw[left + 1 : right].decode("utf-8", "replace"),
        state=rest[0].decode(),
        ppid=int(rest[1]),
        pgid=int(rest[2]),
        cpu_ticks=int(rest[11]) + int(rest[12]),
        start_ticks=int(rest[19]),
        rss_pages=int(rest[21]),
    )


def environ(pid: int) -> dict[str, str] | None:
    """The environment a process was started with; empty between fork and exec; None if unreadable."""
    raw = read(f"/proc/{pid}/environ", _MAX_ENVIRON)
    return None if raw is None else parse_environ(raw)


def environ_block(pid: int) -> tuple[bytes | None, int | None]:
    """The environment as it is, and whose it is: the effective user, or root where the process is guarded."""
    try:
        fd = os.open(f"/proc/{pid}/environ", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None, None
    try:
        data = os.read(fd, 65536)
        while len(data) >= 4096 and (more := os.read(fd, 65536)) and len(data) < _MAX_ENVIRON:
            data += more
        return data, os.fstat(fd).st_uid
    except OSError:
        return None, None
    finally:
        os.close(fd)


def parse_environ(raw: bytes) -> dict[str, str]:
    """Split an environment block; where a name stands twice, the first counts, as for getenv."""
    found: dict[str, str] = {}
    for item in raw.split(b"\0"):
        name, equals, value = item.partition(b"=")
        if equals:
            found.setdefault(os.fsdecode(name), os.fsdecode(value))
    return found


def argv(pid: int) -> list[str]:
    """The command line; empty for a kernel thread, a zombie or a process that is gone."""
    raw = read(f"/proc/{pid}/cmdline", _MAX_ENVIRON) or b""
    return [os.fsdecode(word) for word in raw.rstrip(b"\0").split(b"\0")] if raw else []


def program(pid: int) -> str | None:
    """The name of the program file that runs, whatever the process calls itself.

    Falls back to argv[0] where the link cannot be read (a process of another user).
    """
    try:
        path = os.readlink(f"/proc/{pid}/exe")  # noqa: PTH115 - half the time of Path.readlink
    except PermissionError:
        words = argv(pid)
        path = words[0] if words else ""
    except OSError:
        return None
    return path.removesuffix(" (deleted)").rpartition("/")[2] or None


def effective_uid(pid: int) -> int | None:
    """The effective user of a process."""
    for line in (read(f"/proc/{pid}/status") or b"").splitlines():
        if line.startswith(b"Uid:"):
            return int(line.split()[2])
    return None


def runs_as(pid: int, uid: int) -> bool:
    """True when a process is this user's altogether: real, effective and saved (no set-uid program of others)."""
    for line in (read(f"/proc/{pid}/status") or b"").splitlines():
        if line.startswith(b"Uid:"):
            return line.split()[1:4] == [b"%d" % uid] * 3
    return False


def settled(pid: int) -> bool:
    """False for a process amidst its exec: it has its new program already, but no environment yet.

    Only for a process whose environment reads as empty; one that was really started with none is settled.
    """
    raw = read(f"/proc/{pid}/stat", 4096) or b""
    rest = raw[raw.rfind(b")") + 2 :].split()
    return len(rest) <= _ENV_END or rest[_ENV_END] != b"0"


def in_our_pid_namespace(pid: int) -> bool:
    """False for a process inside a container of its own: it can be no orphan of ours."""
    try:
        return os.readlink(f"/proc/{pid}/ns/pid") == _own_pid_namespace()  # noqa: PTH115
    except PermissionError:
        return True  # of another user: whoever asks will not be allowed to signal it either
    except OSError:
        return False


@cache
def _own_pid_namespace() -> str:
    return str(Path("/proc/self/ns/pid").readlink())


def boot_time_ms() -> int:
    """Milliseconds since the epoch at which the machine booted, by the wall clock of now."""
    for line in (read("/proc/stat", 1 << 20) or b"").splitlines():
        if line.startswith(b"btime "):
            return int(line.split()[1]) * 1000
    raise RuntimeError("/proc/stat has no btime line: is /proc mounted?")


def start_time_ms(found: Stat) -> int:
    """Milliseconds since the epoch at which a process started, to about a second (btime is whole seconds)."""
    return boot_time_ms() + found.start_ticks * 1000 // CLOCK_TICKS


def ancestors(pid: int) -> set[int]:
    """The PID itself and every parent up to PID 1."""
    line: set[int] = set()
    while pid > 0 and pid not in line:
        line.add(pid)
        found = stat(pid)
        pid = found.ppid if found else 0
    return line
