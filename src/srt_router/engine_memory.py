"""What was found out of the installed programs, kept in RUN_DIR for as long as they stay what they are.

To try them out takes longer than to take a thousand processes over, and a server that is replaced makes callers wait.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass, field, replace

from pydantic import BaseModel, ConfigDict, ValidationError

from srt_router.processes.directories import SafeDirectory
from srt_router.processes.proc import SRT_LIVE_TRANSMIT
from srt_router.routes.engine import Engine
from srt_router.routes.ffmpeg import VAAPI_DEVICE
from srt_router.supervision.carry_over import read_state, replace_state

FILE_NAME = "programs.state"
NVIDIA_DEVICE = "/dev/nvidiactl"
_FORMAT = 1
"""Raise it when the programs are tried out in another way: what an older version found counts no more then."""
_ALSO = (
    "/etc/ld.so.cache",
    "/etc/fonts",
    "/usr/share/fonts",
    "/usr/share/fonts/truetype",
    "/usr/local/share/fonts",
    NVIDIA_DEVICE,
    VAAPI_DEVICE,
)
"""Libraries, fonts and devices: what the programs can do changes with them, too."""


class _Kept(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int
    marks: dict[str, tuple[int, int, int]]
    srt_version: tuple[int, int, int]
    ffmpeg_version: str
    encoders: frozenset[str]


def _marks() -> dict[str, tuple[int, int, int]]:
    """What differs once another version is installed, by path: inode, size, time of the last change in nanoseconds."""
    programs = (shutil.which(name) for name in (SRT_LIVE_TRANSMIT, "ffmpeg"))
    found = {}
    for path in (*filter(None, programs), *_ALSO):
        with contextlib.suppress(OSError):
            stat = os.stat(path)  # noqa: PTH116 - a path of the system, as it is
            found[path] = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
    return found


@dataclass(slots=True)
class EngineMemory:
    """To be made before anything is tried: what is replaced during the trial is tried again at the next start."""

    run_dir: SafeDirectory
    marks: dict[str, tuple[int, int, int]] = field(default_factory=_marks)
    complete: bool = True
    """Nothing is missing, and no trial has failed. Else everything is tried, and what is missing said, each time."""

    def recall(self, ours: Engine) -> Engine | None:
        """What was found the last time, beside what is `ours`. None: the programs have to be tried. For a thread."""
        text = read_state(self.run_dir, FILE_NAME)
        try:
            kept = None if text is None else _Kept.model_validate_json(text)
        except ValidationError:
            return None
        if kept is None or kept.format != _FORMAT or kept.marks != self.marks:
            return None
        version, ffmpeg = kept.srt_version, kept.ffmpeg_version
        return replace(ours, srt_version=version, ffmpeg_version=ffmpeg, clock=True, encoders=kept.encoders)

    def remember(self, found: Engine) -> None:
        """Keep it, if it is complete. A RUN_DIR that refuses is no matter: the next start tries again. For a thread."""
        if not self.complete or found.ffmpeg_version is None:
            return
        kept = _Kept(
            format=_FORMAT,
            marks=self.marks,
            srt_version=found.srt_version,
            ffmpeg_version=found.ffmpeg_version,
            encoders=found.encoders,
        )
        with contextlib.suppress(OSError):
            replace_state(self.run_dir.fd, FILE_NAME, kept.model_dump_json())
