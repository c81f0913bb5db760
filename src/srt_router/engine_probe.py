"""Finds out what srt-live-transmit and ffmpeg on this machine can do."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

from srt_router.processes.proc import SRT_LIVE_TRANSMIT
from srt_router.routes.engine import Engine, parse_srt_version

log = logging.getLogger("SrtRouter")

_OLDEST = (1, 5, 1)
_PATIENCE_S = 10.0


async def probe() -> Engine:
    """The programs as they are installed; what is missing is said, and each start of a route says it again."""
    version, clock = await asyncio.gather(_srt_version(), _can_draw_text())
    return Engine(
        srt_version=version,
        python=sys.executable,
        duplicator=str(Path(__file__).with_name("duplicator.py")),
        clock=clock,
    )


async def _srt_version() -> tuple[int, int, int]:
    try:
        version = parse_srt_version(await _output(SRT_LIVE_TRANSMIT, "-version"))
    except FileNotFoundError:
        log.error("%s is not installed: no route can start (apt install srt-tools)", SRT_LIVE_TRANSMIT)  # noqa: TRY400
        return _OLDEST
    except (OSError, ValueError, TimeoutError) as error:
        log.warning("Cannot tell the version of %s: %s", SRT_LIVE_TRANSMIT, error)
        return _OLDEST
    log.info("Found %s %s", SRT_LIVE_TRANSMIT, ".".join(map(str, version)))
    return version


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


async def _output(*argv: str, check: bool = False) -> str:
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        text, _ = await asyncio.wait_for(process.communicate(), _PATIENCE_S)
    except TimeoutError:
        process.kill()
        raise
    if check and process.returncode:
        raise ValueError(f"{argv[0]} ended with {process.returncode}")
    return text.decode("utf-8", "replace")
