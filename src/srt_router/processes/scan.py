"""Looking at every process of the host: which are media processes, and whose."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from srt_router.processes import instance as instances
from srt_router.processes import proc
from srt_router.processes.instance import Instance
from srt_router.processes.ownership import Facts, Owner
from srt_router.processes.tag import INSTANCE, Tag, read_tag

_TAG_NAME = f"{INSTANCE}=".encode()


@dataclass(slots=True)
class Scanner:
    """Tells whose a process is, seen from one installation."""

    instance: Instance
    is_live: Callable[[str, str], bool] = instances.is_live
    protected: frozenset[int] = field(default_factory=lambda: frozenset(proc.ancestors(os.getpid()) | {1}))
    uid: int = field(default_factory=os.geteuid)
    _boot_ms: int = field(default_factory=proc.boot_time_ms)

    def candidates(self) -> tuple[list[int], list[int]]:
        """PIDs that carry any router's tag or run srt-live-transmit; and those caught amidst their exec.

        One pass with as few reads as possible; whoever acts on a PID pins it and asks `facts` again.
        """
        found: list[int] = []
        unsettled: list[int] = []
        for pid in proc.pids():
            if pid in self.protected:
                continue
            environment = proc.read(f"/proc/{pid}/environ", 65536)
            if environment and _TAG_NAME in environment:
                found.append(pid)
                continue
            name = proc.program(pid)
            if name == proc.SRT_LIVE_TRANSMIT:
                found.append(pid)
            elif environment == b"" and name is not None:
                unsettled.append(pid)  # a program, but no environment yet: between fork and exec
        return found, unsettled

    def facts(self, pid: int) -> Facts | None:
        """What is known of a process now; None when it has ended."""
        stat = proc.stat(pid)
        if stat is None or stat.dead:
            return None
        environment = proc.environ(pid)
        tag = read_tag(environment) if environment else None
        return Facts(
            pid=pid,
            program=proc.program(pid) or stat.comm,
            owner=self._owner(pid, tag),
            tag=tag,
            start_ticks=stat.start_ticks,
            started_ms=self._boot_ms + stat.start_ticks * 1000 // os.sysconf("SC_CLK_TCK"),
            leads_group=stat.pgid == pid,
        )

    def _owner(self, pid: int, tag: Tag | None) -> Owner:
        if pid in self.protected or not proc.in_our_pid_namespace(pid):
            return Owner.PROTECTED
        if tag is None:
            return Owner.NOBODY
        same_user = proc.effective_uid(pid) == self.uid
        if same_user and self._ours(tag):
            return Owner.OURS
        if not self._ours(tag) and self.is_live(tag.instance, tag.data_dir):
            return Owner.LIVE_ROUTER
        return Owner.DEAD_ROUTER if same_user else Owner.NOBODY

    def _ours(self, tag: Tag) -> bool:
        """Our UUID, or our DATA_DIR: whoever was there before us is gone, for we hold its lock."""
        return tag.instance == self.instance.id or tag.data_dir == self.instance.data_dir
