"""One archive with what somebody needs who is to help from afar, without any secret."""

from __future__ import annotations

import io
import json
import os
import platform
import sqlite3
import stat
import sys
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import SecretStr, TypeAdapter

from srt_router.doctor.examination import examine
from srt_router.redaction import redact, redact_data
from srt_router.settings import Settings
from srt_router.storage.events import EventFilter, plain, select
from srt_router.supervision.installation import look_at
from srt_router.supervision.inventory import ProcessItem, inventory
from srt_router.version import version_line

EVENTS = 5000
"""The newest so many."""
SERVER_LOG_BYTES = 5_000_000
PROCESS_LOG_BYTES = 200_000
_SHORTEST_SECRET = 4
"""A shorter text is hidden as a field, but not looked for everywhere: it would blacken every word."""


_ITEMS = TypeAdapter(list[ProcessItem])


@dataclass(frozen=True, slots=True)
class Part:
    """One file of the archive."""

    name: str
    text: str


def write(settings: Settings, config: Path | None, target: Path) -> list[str]:
    """Write the archive to `target`, which must not be there yet, readable for its owner only.

    The answer: what could not be collected, with the reason. Raises OSError where `target` cannot be written.
    """
    troubles: list[str] = []
    folder = target.name.removesuffix(".tar.gz")
    fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
        for part in parts(settings, config, troubles):
            _add(archive, f"{folder}/{part.name}", part.text)
        _add(archive, f"{folder}/troubles.txt", "".join(f"{one}\n" for one in troubles))
    return troubles


def parts(settings: Settings, config: Path | None, troubles: list[str]) -> Iterator[Part]:
    """Every file of the archive; one that cannot be made is told in `troubles`, and the others go on."""
    secrets = _secrets(settings)
    sources: Mapping[str, Callable[[], str]] = {
        "versions.txt": _versions,
        "doctor.json": lambda: _doctor(config),
        "settings.json": lambda: _json(_settings(settings)),
        "routes.json": lambda: _routes(settings.data_dir / "routes.json"),
        "routes.json.bak": lambda: _routes(settings.data_dir / "routes.json.bak"),
        "processes.json": lambda: _processes(settings),
        "events.jsonl": lambda: _events(settings.data_dir / "gateway.db"),
        "machine.txt": _machine,
    }
    for name, make in sources.items():
        try:
            yield Part(name, redact(make(), secrets))
        except Exception as error:  # noqa: BLE001 - whatever is broken, the rest is needed all the more
            troubles.append(f"{name}: {redact(_why(error), secrets)}")
    folders = (("logs", settings.logs, SERVER_LOG_BYTES), ("process-logs", settings.run_dir, PROCESS_LOG_BYTES))
    for folder, path, most in folders:
        for name in _logs(path, troubles):
            try:
                yield Part(f"{folder}/{name}", redact(_end_of(path / name, most), secrets))
            except OSError as error:
                troubles.append(f"{folder}/{name}: {error.strerror}")


def _add(archive: tarfile.TarFile, name: str, text: str) -> None:
    content = text.encode("utf-8", "replace")
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = len(content), 0o600, int(time.time())
    archive.addfile(entry, io.BytesIO(content))


def _json(value: object) -> str:
    return json.dumps(redact_data(value), ensure_ascii=False, indent=2) + "\n"


def _secrets(settings: Settings) -> set[str]:
    """Every secret that is known here: of the settings, and of the routes."""
    found = {value.get_secret_value() for _, value in settings if isinstance(value, SecretStr)}
    for name in ("routes.json", "routes.json.bak"):
        try:
            document = json.loads((settings.data_dir / name).read_bytes())
        except (OSError, ValueError):
            continue
        found |= set(_passphrases(document))
    return {secret for secret in found if len(secret) >= _SHORTEST_SECRET}


def _passphrases(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, one in value.items():
            if key == "passphrase" and isinstance(one, str):
                yield one
            else:
                yield from _passphrases(one)
    elif isinstance(value, list):
        for one in value:
            yield from _passphrases(one)


def _versions() -> str:
    try:
        system = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        system = "unknown"
    return (
        f"{version_line()}\npython {sys.version}\nkernel {platform.release()} {platform.machine()}\n"
        f"system {system}\nat {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}\n"
    )


def _doctor(config: Path | None) -> str:
    names = ("name", "state", "message", "remedy")
    return _json([{name: str(getattr(one, name)) for name in names} for one in examine(config, os.environ)])


def _settings(settings: Settings) -> dict[str, object]:
    return {name.upper(): "hidden" if isinstance(value, SecretStr) else plain(value) for name, value in settings}


def _routes(path: Path) -> str:
    text = path.read_text("utf-8", "replace")
    try:
        return _json(json.loads(text))
    except ValueError:  # just then it is needed; a passphrase is hidden by its name alone
        lines = text.splitlines(keepends=True)
        return "".join("(a line with a passphrase)\n" if "passphrase" in line.lower() else line for line in lines)


def _processes(settings: Settings) -> str:
    installation = look_at(settings)
    try:
        items = inventory(installation.list_processes(), {}, installation.known() or ())
        return _json(
            {"notes": list(installation.notes), "items": _ITEMS.dump_python(items, mode="json", by_alias=True)}
        )
    finally:
        installation.close()


def _events(path: Path) -> str:
    path.stat()  # sqlite's own words for a file that is not there say nothing
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        found = select(connection, EventFilter(), EVENTS)
    return "".join(json.dumps(redact_data(asdict(one)), ensure_ascii=False) + "\n" for one in reversed(found))


def _machine() -> str:
    names = ("loadavg", "uptime", "meminfo", "net/snmp", "net/sockstat", "net/udp", "sys/net/core/rmem_max", "mounts")
    return "".join(f"==> /proc/{name}\n{Path('/proc', name).read_text('utf-8', 'replace')}\n" for name in names)


def _why(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__


def _logs(folder: Path, troubles: list[str]) -> list[str]:
    try:
        return sorted(one.name for one in folder.iterdir() if ".log" in one.name and one.suffix != ".gz")
    except OSError as error:
        troubles.append(f"{folder}: {error.strerror}")
        return []


def _end_of(path: Path, most: int) -> str:
    """The end of a file, by its last `most` bytes. Raises OSError, also where it is no regular file."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(0, "no regular file")
        file.seek(max(0, status.st_size - most))
        return file.read(most).decode("utf-8", "replace")
