"""The directories of one server, opened, checked and locked: what must be had before anything else is done."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from srt_router.processes.cleanup import PidManager
from srt_router.processes.crashpoint import crashpoint
from srt_router.processes.directories import SafeDirectory
from srt_router.processes.instance import Instance, keep_instance, open_instance
from srt_router.processes.pidfiles import PidDirectory
from srt_router.processes.scan import Scanner
from srt_router.processes.server_file import ServerFile, write_server_file
from srt_router.processes.spawner import clear
from srt_router.processes.successor import HandedOver
from srt_router.settings import Settings


@dataclass(frozen=True, slots=True)
class House:
    """One installation, held by this process until it dies."""

    instance: Instance
    data_dir: SafeDirectory
    run_dir: SafeDirectory
    pid_files: PidDirectory
    pid_manager: PidManager


def open_house(settings: Settings, handed: HandedOver | None = None) -> House:
    """Open and lock DATA_DIR, PID_DIR and RUN_DIR, or take them as the program before us has `handed` them on.

    Raises UnsafeDirectory, AlreadyRunning, or OSError for a DATA_DIR that cannot be written.
    """
    held = (handed.data_dir, handed.pid_dir, handed.run_dir) if handed else (None, None, None)
    data_dir = SafeDirectory(settings.data_dir, mode=0o750, setting="DATA_DIR", held=held[0])
    data_dir.lock("DATA_DIR")
    pid_dir = SafeDirectory(settings.pid_dir, mode=0o755, setting="PID_DIR", held=held[1])
    pid_dir.lock("PID_DIR")
    run_dir = SafeDirectory(settings.run_dir, mode=0o700, setting="RUN_DIR", held=held[2])
    run_dir.lock("RUN_DIR")
    crashpoint("after_lock")
    instance = open_instance(data_dir)
    if instance.first_start:
        data_dir.check_writable()  # who it is must be kept; later a disk may be full, and nothing stops for that
    pid_files = PidDirectory(pid_dir)
    return House(instance, data_dir, run_dir, pid_files, PidManager(pid_files, Scanner(instance)))


def move_in(house: House, server: ServerFile, keep: Collection[str] = ()) -> None:
    """Make the installation ours, once nothing is left of an earlier server but the processes called `keep`.

    RUN_DIR is emptied but for their files, and says where the `server` is.
    """
    keep_instance(house.data_dir, house.instance)
    clear(house.run_dir, keep)
    write_server_file(house.run_dir, server)
