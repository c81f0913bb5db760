"""Test streams: H.264 and audio in MPEG-TS, at a real bit rate and with the bursts of real key frames."""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Picture:
    """What a test stream shows, and at which bit rate."""

    size: str
    video_mbps: int
    noise: int
    """Strength of the noise laid over the test pattern: without it there is too little to encode."""


HD_6_MBPS = Picture("1280x720", 6, 10)
FULL_HD_20_MBPS = Picture("1920x1080", 20, 10)


def make(picture: Picture, seconds: int) -> Path:
    """Return a stream of that length, made on first use and kept in a folder of the temporary directory."""
    argv = _ffmpeg_argv(picture, seconds)
    key = hashlib.sha256("\0".join(argv).encode()).hexdigest()[:16]
    folder = _cache_folder()
    target = folder / f"{picture.size}-{picture.video_mbps}M-{seconds}s-{key}.ts"
    with (folder / f"{key}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            unfinished = target.with_suffix(".part")
            subprocess.run([*argv, str(unfinished)], check=True, stdin=subprocess.DEVNULL)
            unfinished.rename(target)
    return target


def _ffmpeg_argv(picture: Picture, seconds: int) -> list[str]:
    """A key frame every two seconds, a rate buffer of two seconds and no padding: so key frames burst."""
    pattern = f"testsrc2=size={picture.size}:rate=25,noise=alls={picture.noise}:allf=t"
    rate = f"{picture.video_mbps}M"
    command = f"""
        ffmpeg -v error -y -nostdin -f lavfi -i {pattern}
        -f lavfi -i sine=frequency=440:sample_rate=48000 -t {seconds}
        -c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 50 -sc_threshold 0
        -b:v {rate} -maxrate {rate} -bufsize {picture.video_mbps * 2}M
        -c:a mp2 -b:a 128k -f mpegts
    """
    return command.split()


def _cache_folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"srt-router-media-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise PermissionError(f"{folder} is not a folder of ours: remove it or set TMPDIR")
    return folder
