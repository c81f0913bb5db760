"""Are the programs there that carry the streams, and which versions?"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

from srt_router.doctor.check import Check, State, fail, ok, warn
from srt_router.processes.proc import SRT_LIVE_TRANSMIT
from srt_router.routes.engine import parse_srt_version

_PATIENCE_S = 10
_OLDEST_PYTHON = (3, 11)
_OLDEST_SRT = (1, 5, 1)
RENDEZVOUS_WORKS_SINCE = (1, 5, 3)
"""Rendezvous connections of older versions can hang (mended in 1.5.2 and 1.5.3)."""
_OLDEST_FFMPEG = 4
_FFMPEG_VERSION = re.compile(r"^ff(?:mpeg|probe) version n?(\d+)([^\s]*)")


def python() -> list[Check]:
    """The Python that runs this."""
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < _OLDEST_PYTHON:
        return [fail("Python", f"{found} is too old", "install Python 3.11 or newer")]
    return [ok("Python", found)]


def srt_live_transmit() -> list[Check]:
    """It carries every SRT end."""
    name = SRT_LIVE_TRANSMIT
    path = shutil.which(name)
    if path is None:
        return [fail(name, "is not installed: no route can start", "apt install srt-tools")]
    try:
        version = srt_version(path)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return [fail(name, f"{path} does not tell its version: {error}", "apt install --reinstall srt-tools")]
    found = f"{'.'.join(map(str, version))} ({path})"
    if version < _OLDEST_SRT:
        return [warn(name, f"{found} is older than 1.5.1 and was never tried", "install a newer srt-tools")]
    if version < RENDEZVOUS_WORKS_SINCE:
        return [ok(name, f"{found}; rendezvous mode is not reliable before 1.5.3, listener and caller are")]
    return [ok(name, found)]


def srt_version(path: str) -> tuple[int, int, int]:
    """The version of the SRT library it runs with. Raises OSError, ValueError, SubprocessError."""
    return parse_srt_version(_output(path, "-version"))


def ffmpeg() -> list[Check]:
    """It transcodes, and makes the test pattern."""
    return [_ffmpeg("ffmpeg", State.FAIL, "no transcode and no test pattern can start")]


def ffprobe() -> list[Check]:
    """It tells what is in a stream."""
    return [_ffmpeg("ffprobe", State.WARN, "what is in a stream cannot be shown")]


def _ffmpeg(name: str, missing: State, consequence: str) -> Check:
    """`missing`: how bad it is to do without it."""
    path = shutil.which(name)
    if path is None:
        return Check(name, missing, f"is not installed: {consequence}", "apt install ffmpeg")
    try:
        text = _output(path, "-version")
    except (OSError, subprocess.SubprocessError) as error:
        return Check(name, missing, f"{path} does not run: {error}", "apt install --reinstall ffmpeg")
    version = _FFMPEG_VERSION.match(text)
    if version is None:  # built from source, versions such as N-109468-gd39b34123d
        return ok(name, f"{text.partition(chr(10))[0][:60]} ({path})")
    found = f"{version[1]}{version[2]} ({path})"
    if int(version[1]) < _OLDEST_FFMPEG:
        return warn(name, f"{found} is older than {_OLDEST_FFMPEG} and was never tried", "install a newer ffmpeg")
    return ok(name, found)


def _output(*argv: str) -> str:
    found = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=_PATIENCE_S,
        check=True,
    )
    return found.stdout.decode("utf-8", "replace")
