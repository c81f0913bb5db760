"""The directories of one server, opened, checked and locked: what must be had before anything else is done."""

from __future__ import annotations

from dataclasses import dataclass

from srt_router.processes.cleanup import PidManager
from srt_router.processes.crashpoint import crashpoint
from srt_router.processes.directories import SafeDirectory
from srt_router.processes.instance import Instance, open_instance
from srt_router.processes.pidfiles import PidDirectory
from srt_router.processes.scan import Scanner
from srt_router.settings import Settings


@dataclass(frozen=True, slots=True)
class House:
    """One installation, held by this process until it dies."""

    instance: Instance
    data_dir: SafeDirectory
    run_dir: SafeDirectory
    pid_files: PidDirectory
    pid_manager: PidManager


def open_house(settings: Settings) -> House:
    """Open and lock DATA_DIR, PID_DIR and RUN_DIR.

    Raises UnsafeDirectory, AlreadyRunning, or OSError for a DATA_DIR that cannot be written.
    """
    data_dir = SafeDirectory(settings.data_dir, mode=0o750, setting="DATA_DIR")
    data_dir.lock("DATA_DIR")
    pid_dir = SafeDirectory(settings.pid_dir, mode=0o755, setting="PID_DIR")
    pid_dir.lock("PID_DIR")
    run_dir = SafeDirectory(settings.run_dir, mode=0o700, setting="RUN_DIR")
    run_dir.lock("RUN_DIR")
    crashpoint("after_lock")
    instance = open_instance(data_dir)
    pid_files = PidDirectory(pid_dir)
    return House(instance, data_dir, run_dir, pid_files, PidManager(pid_files, Scanner(instance)))
