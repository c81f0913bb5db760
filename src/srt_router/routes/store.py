"""routes.json on disk: read, written atomically, watched for edits by hand, never overwritten when broken."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import logging
import os
import stat
from collections.abc import AsyncGenerator, Iterable
from pathlib import Path

from watchfiles import Change, awatch

from srt_router.routes.conflicts import Book
from srt_router.routes.document import Parsed, assemble, parse, render_route
from srt_router.routes.errors import FieldError, RouteInvalid, RoutesFileChanged, RoutesFileInvalid
from srt_router.routes.model import Route
from srt_router.routes.parsing import parse_route

logger = logging.getLogger(__name__)

FILE_NAME = "routes.json"
BACKUP_NAME = "routes.json.bak"
MAX_BYTES = 16 * 1024 * 1024
"""Largest file that is read: far above 10,000 routes."""

LOOK_EVERY_MS = 2000
"""Milliseconds after which the file is looked at even if nothing was reported (inotify can miss events)."""
_STEP_MS = 250
"""watchfiles wakes up so often, whatever happens: with its own 50 ms that was most of what an idle server did."""
SETTLE_S = 0.15
"""Seconds that a broken or missing file must stay as it is before it is believed: editors write in steps."""


class OSErrorText(str):
    """Why the file could not be read, in the place of its content."""

    __slots__ = ()


class RoutesFile:
    """The routes file of one DATA_DIR, used from one event loop; what touches the disk belongs in a thread.

    The caller serialises `load` and `save`. One server per DATA_DIR is the only writer beside people.
    """

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / FILE_NAME
        self.backup_path = data_dir / BACKUP_NAME
        self._seen: bytes | OSErrorText | None = None
        """What was last read from the file, or written to it; None: there was no file."""
        self._good: bytes | None = None
        """The last content that was valid."""
        self._texts: dict[int, tuple[Route, str]] = {}
        """The texts of the routes that were written last, by the identity of the route."""
        self._writing: bytes | None = None
        """What is being written at this moment."""

    @staticmethod
    def parse(text: str) -> Parsed:
        """Read the text of a routes file; never raises."""
        return parse(text)

    def load(self) -> Parsed:
        """Read the file. No file means no routes. Never raises: what cannot be read is an error of the file."""
        content = self._look()
        parsed = _judge(content) if isinstance(content, OSErrorText) else _parse_bytes(content)
        self._take_over(content, parsed)
        return parsed

    def save(self, routes: Iterable[Route]) -> None:
        """Replace the file atomically; what was in it becomes routes.json.bak.

        Raises RoutesFileInvalid while the file on disk is broken (or if the routes themselves collide),
        RoutesFileChanged if it is not what was read last (the change comes by `changes`), OSError for
        the disk; the file is as it was then, or wholly new where only the last fsync failed.
        """
        content = self._written(tuple(routes))
        current = self._read()
        if current is not None:
            self._refuse_foreign(current)
            write_atomically(self.backup_path, current)
        self._writing = content
        try:
            write_atomically(self.path, content)
            self._seen = self._good = content
        finally:
            self._writing = None

    def _written(self, routes: tuple[Route, ...]) -> bytes:
        """Return what is to stand in the file, which is good: each route was read back, and none collides."""
        texts: dict[int, tuple[Route, str]] = {}
        book = Book()
        errors: list[FieldError] = []
        for index, route in enumerate(routes):
            found = book.conflicts(route)
            book.add(route)
            try:
                texts[id(route)] = self._texts.get(id(route)) or (route, _read_back(route))
            except RouteInvalid as error:
                found += error.errors
            errors += [error.under("routes", index) for error in found]
        content = assemble(text for _, text in texts.values()).encode()
        if len(content) > MAX_BYTES:
            errors.append(_too_large())
        if errors:
            raise RoutesFileInvalid(self.path, errors)
        self._texts = texts
        return content

    def _refuse_foreign(self, current: bytes) -> None:
        if current != self._good:
            found = _parse_bytes(current)
            if found.errors:
                raise RoutesFileInvalid(self.path, found.errors)
        if current != self._seen:
            raise RoutesFileChanged(self.path)

    async def changes(self, stop_event: asyncio.Event) -> AsyncGenerator[Parsed, None]:
        """Yield what the file says whenever somebody else has changed it, until the event is set.

        The last good content that this server had loaded is kept as routes.json.bak. A file that was
        removed yields an error, so that a slip of the hand takes nothing off air.
        """
        if changed := await self.changed():
            yield changed
        async for _ in self.occasions(stop_event):
            if changed := await self.changed():
                yield changed

    async def occasions(self, stop_event: asyncio.Event) -> AsyncGenerator[None, None]:
        """Yield whenever the file should be looked at: when inotify says so, and from time to time."""
        try:
            events = awatch(
                self.path.parent,
                watch_filter=_is_routes_file,
                stop_event=stop_event,
                recursive=False,
                step=_STEP_MS,
                rust_timeout=LOOK_EVERY_MS,
                yield_on_timeout=True,
            )
            async for _ in events:
                yield
        except (OSError, RuntimeError) as error:  # RuntimeError: what watchfiles makes of other errors of the kernel
            logger.warning("%s is looked at every 2 s only, since it cannot be watched: %s", self.path, error)
        while not stop_event.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop_event.wait(), LOOK_EVERY_MS / 1000)
            yield

    async def changed(self) -> Parsed | None:
        """Return what the file says if somebody else has changed it, once that has settled; None: nobody has."""
        before: bytes | OSErrorText | None = None
        waited = False
        while True:
            known = self._known()
            content = await asyncio.to_thread(self._look)
            if content in known or content in self._known():
                return None
            parsed = await asyncio.to_thread(_judge, content)
            if not parsed.errors or (waited and content == before):
                await asyncio.to_thread(self._keep_good, content, parsed)
                return parsed
            before, waited = content, True
            await asyncio.sleep(SETTLE_S)

    def _known(self) -> list[bytes | OSErrorText | None]:
        """Return what may stand in the file by our own doing."""
        return [self._seen] if self._writing is None else [self._seen, self._writing]

    def _look(self) -> bytes | OSErrorText | None:
        try:
            return self._read()
        except OSError as error:
            return OSErrorText(error.strerror or "unknown error")

    def _keep_good(self, content: bytes | OSErrorText | None, parsed: Parsed) -> None:
        if self._good is not None and self._good != content:
            try:
                write_atomically(self.backup_path, self._good, suffix=".kept")
            except OSError as error:
                logger.warning("Could not keep the last good routes as %s: %s", self.backup_path, error)
        self._take_over(content, parsed)

    def _take_over(self, content: bytes | OSErrorText | None, parsed: Parsed) -> None:
        self._seen = content
        if isinstance(content, bytes) and not parsed.errors:
            self._good = content

    def _read(self) -> bytes | None:
        """Return the content of the file, at most one byte more than is allowed; None where there is none."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor, not a path
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):  # a pipe would be waited for until somebody writes
                raise OSError(errno.EINVAL, "is no regular file", str(self.path))
            return file.read(MAX_BYTES + 1)


def _is_routes_file(_: Change, path: str) -> bool:
    return Path(path).name == FILE_NAME


def _judge(content: bytes | OSErrorText | None) -> Parsed:
    if isinstance(content, OSErrorText):
        return Parsed(errors=(FieldError((), f"cannot be read: {content}"),))
    return _removed() if content is None else _parse_bytes(content)


def _removed() -> Parsed:
    message = "was removed: what runs goes on; put the file back, or its last state from routes.json.bak"
    return Parsed(errors=(FieldError((), message),))


def _too_large() -> FieldError:
    return FieldError((), f"is larger than {MAX_BYTES // 1024 // 1024} MiB")


def _read_back(route: Route) -> str:
    """Return the text of a route from which the same route is read. Raises RouteInvalid."""
    text = render_route(route)
    if parse_route(json.loads(text)) != route:
        raise RouteInvalid([FieldError((), "would be read back as another one: it was not written")])
    return text


def _parse_bytes(content: bytes | None) -> Parsed:
    if content is None:
        return Parsed()
    if len(content) > MAX_BYTES:
        return Parsed(errors=(_too_large(),))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return Parsed(errors=(FieldError((), "is not UTF-8 text", line),))
    return parse(text)


def write_atomically(path: Path, content: bytes, suffix: str = ".tmp") -> None:
    """Put content at a path so that at any moment, power cuts included, the old or the new is there whole.

    The file is readable by its owner only, since it holds passphrases. Raises OSError; the old stays then.
    Two writers of one path at a time need different suffixes for the file on the way.
    """
    temporary = path.with_name(path.name + suffix)
    temporary.unlink(missing_ok=True)
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, not a path
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)  # noqa: PTH105 - the system call that is meant
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
