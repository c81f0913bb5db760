"""Looking at every process of the host: which are media processes, and whose."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from srt_router.processes import instance as instances
from srt_router.processes import proc
from srt_router.processes.instance import Instance
from srt_router.processes.ownership import Facts, Owner
from srt_router.processes.tag import INSTANCE, Tag, read_tag

_OWN = b"SRT_ROUTER_"
_TAG_NAME = f"{INSTANCE}=".encode()
_SRT_LIVE_TRANSMIT = f"/{proc.SRT_LIVE_TRANSMIT}"
_DELETED = " (deleted)"
_MAX_ENVIRON = 65536


@dataclass(slots=True)
class Scanner:
    """Tells whose a process is, seen from one installation."""

    instance: Instance
    is_live: Callable[[str, str], bool] = instances.is_live
    protected: frozenset[int] = field(default_factory=lambda: frozenset(proc.ancestors(os.getpid()) | {1}))
    uid: int = field(default_factory=os.geteuid)
    own_pid: int = field(default_factory=os.getpid)
    server: int | None = None
    """PID of this installation's live server, for a tool that looks from beside it. The server itself needs
    none: it knows its processes, and where it is PID 1 every orphan is its child."""
    _boot_ms: int = field(default_factory=proc.boot_time_ms)
    _mark: bytes = field(init=False)
    """What our tag looks like in an environment block."""

    def __post_init__(self) -> None:
        self._mark = f"{INSTANCE}={self.instance.id}\0".encode()

    def candidates(self, *, quick: bool = False) -> tuple[list[int], list[int]]:
        """PIDs that carry any router's tag or run srt-live-transmit; and those caught amidst their exec.

        One pass with as few reads as possible; whoever acts on a PID pins it and asks `facts` again.

        `quick` takes half the time: it reads no environment where the session leader carries no tag. The
        router starts every process as the leader of a session of its own, so what it misses was started by
        somebody else with our tag in hand. A search that must miss nothing ends with thorough passes.
        """
        look = _Look(quick)
        try:
            for pid in proc.pids():
                if pid not in self.protected:
                    look.at(pid)
        finally:
            look.close()
        return look.found, look.unsettled

    def facts(self, pid: int) -> Facts | None:
        """What is known of a process now; None when it has ended.

        The program is read before the environment: an exec in between then shows the old program with the
        new tag, which is harmless, and never the new program without it.
        """
        program = proc.program(pid)
        block, user = proc.environ_block(pid)
        if block and user == self.uid and self._mark in block and pid not in self.protected:
            tag = read_tag(_own_variables(block))
            if tag and (tag.instance, tag.data_dir) == (self.instance.id, self.instance.data_dir):
                return self._ours(pid, program, tag)
        return self._any(pid, program, block)

    def started(self, pid: int) -> tuple[int, int] | None:
        """When a process was started, in milliseconds since the epoch, and by whom; None if it does not run.

        One that somebody has stopped (SIGSTOP) lives, but carries nothing.
        """
        stat = proc.stat(pid)
        if stat is None or stat.dead or stat.state in "Tt":
            return None
        return self._boot_ms + stat.start_ticks * 1000 // proc.CLOCK_TICKS, stat.ppid

    def _ours(self, pid: int, program: str | None, tag: Tag) -> Facts | None:
        """The short way, for hundreds of them: our UUID is known to our processes only, so little else is asked.

        (A process that has its memory still, and so its environment, has not ended.)
        """
        try:
            group = os.getpgid(pid)
        except OSError:
            return None
        supervised = self._is_child(pid) or (group != pid and self._is_child(group))
        supervised = supervised or (tag.is_trial and tag.is_of_this_life)  # this server waits for its end
        return Facts(
            pid=pid,
            program=program or "",
            owner=Owner.OURS,
            tag=tag,
            started_ms=None,
            leads_group=group == pid,
            supervised=supervised,
            group=group,
        )

    def _is_child(self, pid: int) -> bool:
        """Is it a child of the live server?"""
        stat = proc.stat(pid) if self.server is not None else None
        return stat is not None and stat.ppid == self.server

    def _any(self, pid: int, program: str | None, block: bytes | None) -> Facts | None:
        stat = proc.stat(pid)
        if stat is None or stat.dead:
            return None
        environment = None if block is None else proc.parse_environ(block)
        tag = read_tag(environment) if environment else None
        return Facts(
            pid=pid,
            program=program or stat.comm,
            owner=self._owner(pid, environment, tag),
            tag=tag,
            started_ms=self._boot_ms + stat.start_ticks * 1000 // proc.CLOCK_TICKS,
            leads_group=stat.pgid == pid,
            supervised=self.server is not None and stat.ppid == self.server,
            group=stat.pgid,
        )

    def _owner(self, pid: int, environment: dict[str, str] | None, tag: Tag | None) -> Owner:
        if pid in self.protected or not proc.in_our_pid_namespace(pid):
            return Owner.PROTECTED
        if environment is None:
            return Owner.UNREADABLE
        if tag is None:
            return Owner.NOBODY if environment or proc.settled(pid) else Owner.UNSETTLED
        same_user = proc.runs_as(pid, self.uid)
        here = self._of_our_data_dir(tag)
        if same_user and here:
            return Owner.OURS
        if not here and self.is_live(tag.instance, tag.data_dir):
            return Owner.LIVE_ROUTER  # also a copy of our DATA_DIR, with our UUID, in which a server lives
        if not same_user:
            return Owner.NOBODY
        return Owner.OURS if tag.instance == self.instance.id else Owner.DEAD_ROUTER

    def _of_our_data_dir(self, tag: Tag) -> bool:
        """Started from our DATA_DIR: whoever was there before us is gone, for we hold its lock."""
        if tag.data_dir == self.instance.data_dir:
            return True
        try:
            return tag.instance == self.instance.id and Path(tag.data_dir).samefile(self.instance.data_dir)
        except OSError:
            return False


def _own_variables(block: bytes) -> dict[str, str]:
    return proc.parse_environ(b"\0".join(item for item in block.split(b"\0") if item.startswith(_OWN)))


class _Look:
    """One pass over /proc. Written for speed: it runs for every process of the host."""

    def __init__(self, quick: bool) -> None:
        self.found: list[int] = []
        self.unsettled: list[int] = []
        self._quick = quick
        self._proc = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._untagged_leader: dict[int, bool] = {}

    def close(self) -> None:
        os.close(self._proc)

    def at(self, pid: int) -> None:
        """Look at one process."""
        try:
            path = os.readlink(f"{pid}/exe", dir_fd=self._proc)
        except PermissionError:
            path = f"/{proc.program(pid)}"
        except OSError:
            return  # a kernel thread, or gone
        if path.removesuffix(_DELETED).endswith(_SRT_LIVE_TRANSMIT):
            self.found.append(pid)
        elif not (self._quick and self._led_by_a_stranger(pid)):
            environment = self._environ(pid)
            if environment and _TAG_NAME in environment:
                self.found.append(pid)
            elif environment == b"" and not proc.settled(pid):
                self.unsettled.append(pid)

    def _led_by_a_stranger(self, pid: int) -> bool:
        try:
            leader = os.getsid(pid)
        except OSError:
            return False
        if leader in (pid, 0):
            return False
        known = self._untagged_leader.get(leader)
        if known is None:
            environment = self._environ(leader)
            known = self._untagged_leader[leader] = bool(environment) and _TAG_NAME not in (environment or b"")
        return known

    def _environ(self, pid: int) -> bytes | None:
        try:
            fd = os.open(f"{pid}/environ", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._proc)
        except OSError:
            return None
        try:
            data = os.read(fd, _MAX_ENVIRON)
            if len(data) < 4096:  # a short read is the end of the file
                return data
        except OSError:
            return None
        finally:
            os.close(fd)
        return proc.read(f"/proc/{pid}/environ", _MAX_ENVIRON)
