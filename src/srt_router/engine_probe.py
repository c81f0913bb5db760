"""Finds out what srt-live-transmit and ffmpeg on this machine can do."""

from __future__ import annotations

import asyncio
import logging
import sys
from dataclasses import replace
from pathlib import Path

from srt_router.engine_memory import NVIDIA_DEVICE, EngineMemory
from srt_router.processes.proc import SRT_LIVE_TRANSMIT
from srt_router.routes.engine import Engine, parse_srt_version
from srt_router.routes.ffmpeg import VAAPI_DEVICE

log = logging.getLogger("SrtRouter")

_OLDEST = (1, 5, 1)
_PATIENCE_S = 10.0
_HARDWARE = {
    "nvenc": (NVIDIA_DEVICE, ("h264_nvenc", "hevc_nvenc")),
    "qsv": (VAAPI_DEVICE, ("h264_qsv", "hevc_qsv")),
    "vaapi": (VAAPI_DEVICE, ("h264_vaapi", "hevc_vaapi")),
}
"""The device that each kind of hardware shows, and ffmpeg's encoders for it."""


_environment: dict[str, str] | None = None


def carry(environment: dict[str, str]) -> None:
    """Let every program that is tried carry the ownership tag: a server killed amidst a try leaves an orphan."""
    global _environment
    _environment = environment


async def probe(memory: EngineMemory) -> Engine:
    """The programs as they are installed; what is missing is said, and each start of a route says it again.

    Nothing is tried that is in `memory`.
    """
    ours = unknown()
    if (known := await asyncio.to_thread(memory.recall, ours)) is not None:
        _say_version(known.srt_version)
        return known
    version, clock, ffmpeg = await asyncio.gather(_srt_version(), _can_draw_text(), _ffmpeg_version())
    memory.complete = bool(version and clock and ffmpeg)
    return replace(ours, srt_version=version or _OLDEST, clock=clock, ffmpeg_version=ffmpeg)


def unknown() -> Engine:
    """Before anything was tried."""
    return Engine(srt_version=_OLDEST, python=sys.executable, duplicator=str(Path(__file__).with_name("duplicator.py")))


async def hardware(memory: EngineMemory, engine: Engine) -> frozenset[str]:
    """The hardware encoders that work here; keeps what was found of all the programs."""
    if engine.encoders:
        return engine.encoders
    found = await working_encoders()
    await asyncio.to_thread(memory.remember, replace(engine, encoders=found))
    return found


async def working_encoders() -> frozenset[str]:
    """The hardware encoders that work here: each encodes some frames. Never raises; ends within seconds.

    Without a device nothing is tried. Being listed by ffmpeg proves nothing: drivers and permissions decide.
    """
    present = [names for device, names in _HARDWARE.values() if await asyncio.to_thread(Path(device).exists)]
    if not present:
        return frozenset()
    try:
        listed = (await _output("ffmpeg", "-hide_banner", "-encoders")).split()
    except (OSError, TimeoutError):
        return frozenset()
    candidates = [name for names in present for name in names if name in listed]
    tried = await asyncio.gather(*map(_encodes, candidates))
    found = frozenset(name for name, works in zip(candidates, tried, strict=True) if works)
    log.info("Hardware encoders that work: %s", ", ".join(sorted(found)) or "none")
    return found


async def _encodes(encoder: str) -> bool:
    device: tuple[str, ...] = ()
    upload: tuple[str, ...] = ()
    if encoder.endswith("_vaapi"):
        device, upload = ("-vaapi_device", VAAPI_DEVICE), ("-vf", "format=nv12,hwupload")
    picture = ("-f", "lavfi", "-i", "color=size=320x240:rate=25:duration=0.2")
    try:
        await _output(
            "ffmpeg", "-nostdin", "-v", "error", *device, *picture, *upload, "-c:v", encoder, "-f", "null", "-",
            check=True,
        )  # fmt: skip
    except (OSError, ValueError, TimeoutError):
        return False
    return True


async def _srt_version() -> tuple[int, int, int] | None:
    try:
        version = parse_srt_version(await _output(SRT_LIVE_TRANSMIT, "-version"))
    except FileNotFoundError:
        log.error("%s is not installed: no route can start (apt install srt-tools)", SRT_LIVE_TRANSMIT)  # noqa: TRY400
        return None
    except (OSError, ValueError, TimeoutError) as error:
        log.warning("Cannot tell the version of %s: %s", SRT_LIVE_TRANSMIT, error)
        return None
    _say_version(version)
    return version


def _say_version(version: tuple[int, int, int]) -> None:
    log.info("Found %s %s", SRT_LIVE_TRANSMIT, ".".join(map(str, version)))


async def _can_draw_text() -> bool:
    """A filter that draws one letter on one tiny frame: needs ffmpeg built so, and a font."""
    picture = "color=size=32x32:rate=1:duration=1,drawtext=text=x"
    try:
        await _output("ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", picture, "-f", "null", "-", check=True)
    except FileNotFoundError:
        log.error("ffmpeg is not installed: no test picture (apt install ffmpeg)")  # noqa: TRY400
        return False
    except (OSError, ValueError, TimeoutError):
        log.warning("ffmpeg cannot draw text here: the test picture has no clock (apt install fonts-dejavu-core)")
        return False
    return True


async def _ffmpeg_version() -> str | None:
    try:
        words = (await _output("ffmpeg", "-version")).split()
    except (OSError, TimeoutError):
        return None
    return words[2] if words[:2] == ["ffmpeg", "version"] else None


async def _output(*argv: str, check: bool = False) -> str:
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=_environment,
    )
    try:
        text, _ = await asyncio.wait_for(process.communicate(), _PATIENCE_S)
    except (TimeoutError, asyncio.CancelledError):
        process.kill()
        raise
    if check and process.returncode:
        raise ValueError(f"{argv[0]} ended with {process.returncode}")
    return text.decode("utf-8", "replace")
