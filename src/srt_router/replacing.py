"""May the server be replaced by the program as it is installed now? Tried out in a process of its own first.

After the exec there is no way back. So the new program loads everything, reads its settings and the routes, plans them,
and says so, before the old one lets go of anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from dataclasses import dataclass

from srt_router import __version__
from srt_router.api.tls import certificate
from srt_router.errors import SrtRouterError
from srt_router.house import House
from srt_router.processes.priority import restore_priority
from srt_router.processes.successor import TRIAL, Self
from srt_router.processes.tag import OF_NO_ROUTE, Tag, new_nonce
from srt_router.routes.bus import Bus
from srt_router.routes.engine import Engine
from srt_router.routes.plan import PlanContext, plan
from srt_router.routes.store import RoutesFile
from srt_router.settings import Settings

_PATIENCE_S = 60.0


class UpgradeRefused(SrtRouterError):  # noqa: N818 - said as it is
    """The program as it is installed now cannot take over: the server stays as it is."""


@dataclass(frozen=True, slots=True)
class Successor:
    """The program that would go on."""

    version: str
    warning: str | None
    """What it will not do as its settings say."""


def on_trial() -> bool:
    """This process is only to find out whether it could be the server."""
    return os.environ.pop(TRIAL, None) is not None


def try_out(settings: Settings) -> None:
    """As the program on trial: load and plan everything, touch nothing, and say who we are. Raises what is wrong."""
    certificate(settings)
    engine = Engine((1, 5, 0), sys.executable, "duplicator.py")
    one, other = Bus("239.255.0.1", 20000), Bus("239.255.0.1", 20001)
    context = PlanContext(one, str(settings.run_dir), engine, other)
    for route in RoutesFile(settings.data_dir).load().routes:
        plan(route, context)
    print(json.dumps({"version": __version__, **_places(settings), **_address(settings)}))


async def find_successor(itself: Self, settings: Settings, house: House) -> Successor:
    """Try the installed program out. Raises UpgradeRefused with what is wrong with it."""
    said = await _trial(itself, house)
    try:
        found = json.loads(said)
        version = str(found["version"])
    except (ValueError, TypeError, KeyError):
        raise UpgradeRefused(f"it says something else than it should: {said[:200]!r}") from None
    for name, path in _places(settings).items():
        if found.get(name) != path:
            raise UpgradeRefused(f"its {name} is {found.get(name)}, ours is {path}: stop the server and start it anew")
    moved = {name: found.get(name) for name in _address(settings)} != _address(settings)
    return Successor(version, "HOST and PORT have changed: that counts from the next start" if moved else None)


async def _trial(itself: Self, house: House) -> str:
    """The last line that the program on trial says."""
    tag = Tag(house.instance.id, house.instance.data_dir, process=OF_NO_ROUTE, nonce=new_nonce())
    try:
        process = await asyncio.create_subprocess_exec(
            itself.program,
            *itself.arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **tag.marks(), TRIAL: "1"},
            cwd=itself.folder,
            start_new_session=True,
        )
    except OSError as error:
        raise UpgradeRefused(f"it cannot be started: {itself.program}: {error.strerror}") from error
    restore_priority(process.pid)
    try:
        said, errors = await asyncio.wait_for(process.communicate(), _PATIENCE_S)
    except TimeoutError:
        raise UpgradeRefused(f"it was not ready within {_PATIENCE_S:g} s") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    if process.returncode:
        raise UpgradeRefused(f"it ends with {process.returncode}: {_last_line(errors)}")
    return _last_line(said)


def _last_line(text: bytes) -> str:
    lines = text.decode("utf-8", "replace").strip().splitlines()
    return lines[-1].strip()[:500] if lines else "it said nothing"


def _places(settings: Settings) -> dict[str, str]:
    places = {"DATA_DIR": settings.data_dir, "PID_DIR": settings.pid_dir, "RUN_DIR": settings.run_dir}
    return {name: str(path) for name, path in places.items()}


def _address(settings: Settings) -> dict[str, object]:
    return {"HOST": settings.host, "PORT": settings.port}
