"""The one way to start a process."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import shutil
import signal
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import partial

from srt_router.errors import SpawnFailed
from srt_router.processes.child import Child
from srt_router.processes.crashpoint import crashpoint
from srt_router.processes.directories import SafeDirectory
from srt_router.processes.instance import Instance
from srt_router.processes.loop_share import LoopShare
from srt_router.processes.pidfiles import SUFFIX, PidDirectory
from srt_router.processes.priority import restore_priority
from srt_router.processes.spec import ProcessSpec
from srt_router.processes.tag import Tag, new_nonce
from srt_router.processes.unwritten import Unwritten

log = logging.getLogger("PidManager")

LOG_SUFFIX = ".log"
STATS_SUFFIX = ".stats"
CONFIG_SUFFIX = ".json"


@dataclass(slots=True)
class Spawner:
    """Starts processes for one installation: tag, own session, output to files, PID file.

    Called from the event loop's own (main) thread only.
    """

    instance: Instance
    run_dir: SafeDirectory
    pid_files: PidDirectory
    share: LoopShare = field(default_factory=LoopShare)
    """Starts and deaths take their turns here."""
    unwritten: Unwritten = field(default_factory=Unwritten)
    """PID files and configurations that wait for a disk that takes them."""
    spawned: int = field(default=0, init=False)
    """Processes started since the server started."""
    _closed: bool = field(default=False, init=False)

    def close(self) -> None:
        """Start nothing any more."""
        self._closed = True

    def spawn(self, spec: ProcessSpec, on_exit: Callable[[Child], None], buses: str = "") -> Child:
        """Start a process. `buses` are those of its route, for its tag. Raises SpawnFailed where it cannot."""
        if self._closed:
            raise SpawnFailed(f"{spec.name} is not started: the server is ending")
        crashpoint("before_spawn")
        nonce = new_nonce()
        tag = Tag(
            instance=self.instance.id,
            data_dir=self.instance.data_dir,
            route=spec.route_id,
            process=spec.process_type,
            spec=spec.spec_hash,
            nonce=nonce,
            buses=buses,
        )
        try:
            if spec.config is not None and spec.config_path is not None:
                write_config(self.run_dir, spec)
                self.unwritten.forget(spec.name + CONFIG_SUFFIX)  # an older one
            pid = self._exec(spec, tag)
            crashpoint("after_spawn")
            child = _watchable(spec, pid, nonce)
        except OSError as error:
            raise SpawnFailed(f"cannot start {spec.argv[0]} for {spec.name}: {_why(error, spec)}") from error
        self.spawned += 1
        restore_priority(pid)
        if refused := self.unwritten.try_to(spec.name + SUFFIX, partial(self.pid_files.write, spec.name, child.pid)):
            log.error("Cannot write PID file of %s (PID %d): %s", spec.name, child.pid, refused.strerror)
        child.watch(self.share, on_exit)
        return child

    def adopt(self, child: Child, on_exit: Callable[[Child], None], named: int | None) -> None:
        """Watch a process that an earlier server started; its PID file is written again unless it names it.

        `named` is the PID in that file, as it was found when all of them were read.
        """
        name = child.spec.name
        if named != child.pid:
            self.unwritten.try_to(name + SUFFIX, partial(self.pid_files.write, name, child.pid))
        child.watch(self.share, on_exit)

    def remove_pid_file(self, child: Child) -> None:
        """The process is dead: its PID file goes, if it still names it. Raises OSError for a disk that refuses."""
        self.unwritten.forget(child.spec.name + SUFFIX)
        self.pid_files.remove_if(child.spec.name, child.pid)

    def _exec(self, spec: ProcessSpec, tag: Tag) -> int:
        """The PID of the new process. Descriptors beyond the three are all close-on-exec; see docs/decisions."""
        program = find_program(spec.argv[0])
        stats = self._output(spec.name + STATS_SUFFIX)
        try:
            log_file = self._output(spec.name + LOG_SUFFIX)
            try:
                return os.posix_spawn(
                    program,
                    spec.argv,
                    tag.environment(),
                    file_actions=[
                        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                        (os.POSIX_SPAWN_DUP2, stats, 1),
                        (os.POSIX_SPAWN_DUP2, log_file, 2),
                    ],
                    setsid=True,
                )
            finally:
                os.close(log_file)
        finally:
            os.close(stats)

    def _output(self, name: str) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.open(name, flags, 0o600, dir_fd=self.run_dir.fd)


def _watchable(spec: ProcessSpec, pid: int, nonce: str) -> Child:
    """The new process; one that cannot be watched (no descriptor left) must not live: nobody would end it."""
    try:
        return Child(spec, pid, nonce)
    except OSError:
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise


def find_program(name: str) -> str:
    """The path of a program: each place in PATH tried by the kernel instead costs a failed exec.

    Raises FileNotFoundError.
    """
    known = _found.get(name)
    if known and os.access(known, os.X_OK):
        return known
    path = shutil.which(name)
    if path is None:
        raise FileNotFoundError(errno.ENOENT, "not found in PATH", name)
    _found[name] = path
    return path


_found: dict[str, str] = {}


def write_config(run_dir: SafeDirectory, spec: ProcessSpec) -> None:
    """Put the text of `spec.config` into its file, atomically: a reader sees the old text or the new."""
    assert spec.config is not None  # noqa: S101 - the caller looked
    name = spec.name + CONFIG_SUFFIX
    temp = f".{name}.{time.monotonic_ns()}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(temp, flags, 0o600, dir_fd=run_dir.fd)
    try:
        try:
            os.write(fd, spec.config.encode())
        finally:
            os.close(fd)
        os.rename(temp, name, src_dir_fd=run_dir.fd, dst_dir_fd=run_dir.fd)
    except OSError:
        os.unlink(temp, dir_fd=run_dir.fd)
        raise


def remove_output(run_dir: SafeDirectory, spec: ProcessSpec) -> None:
    """Remove the files of a process that is gone for good."""
    for suffix in (LOG_SUFFIX, STATS_SUFFIX, CONFIG_SUFFIX):
        try:
            os.unlink(spec.name + suffix, dir_fd=run_dir.fd)
        except FileNotFoundError:
            pass
        except OSError as error:
            log.warning("Cannot remove %s%s: %s", spec.name, suffix, error.strerror)


def clear(run_dir: SafeDirectory, keep: Collection[str] = ()) -> None:
    """Remove what the processes of a former server left in RUN_DIR, except those called `keep`, which live."""
    for name in os.listdir(run_dir.fd):  # noqa: PTH208 - through the descriptor
        stem, dot, kind = name.rpartition(".")
        suffix = dot + kind
        if suffix == ".tmp" or (suffix in (LOG_SUFFIX, STATS_SUFFIX, CONFIG_SUFFIX) and stem not in keep):
            with contextlib.suppress(FileNotFoundError, IsADirectoryError):
                os.unlink(name, dir_fd=run_dir.fd)


def _why(error: OSError, spec: ProcessSpec) -> str:
    if error.errno == errno.ENOENT:
        return f"no program {spec.argv[0]} in PATH (apt install srt-tools ffmpeg)"
    return error.strerror or str(error)
