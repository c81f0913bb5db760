"""Named places where a test may make the server die: each step of start, spawn, kill and cleanup has one.

`SRT_ROUTER_CRASH_AT=name` (or `name:3` for the third time) kills this very process with SIGKILL there,
as a crash would. Unset, a crash point is one comparison.
"""

from __future__ import annotations

import os
import signal

NAMES = frozenset(
    {
        # start
        "after_lock",
        "after_instance_temp",
        "after_cleanup",
        "after_survivors",
        "after_adoption",
        # replaced in place
        "before_exec",
        # cleanup
        "after_left_overs",
        "after_files_judged",
        "after_pid_file_removed",
        "after_pid_file_scan",
        "after_scan",
        "after_sweep",
        "after_stale_removed",
        # kill
        "before_kill",
        "after_term",
        "after_sigkill",
        "after_death",
        "after_exit_seen",
        # spawn
        "before_spawn",
        "after_spawn",
        "after_pid_file_temp",
        "after_pid_file",
        # restore of a backup
        "restore_decided",
        "restore_database_swapped",
        "restore_routes_written",
    }
)

VARIABLE = "SRT_ROUTER_CRASH_AT"
_name, _, _count = os.environ.get(VARIABLE, "").partition(":")
_left = int(_count or "1") if _name else 0


def crashpoint(name: str) -> None:
    """Die here if a test asked for it."""
    global _left
    if name != _name:
        return
    _left -= 1
    if _left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
