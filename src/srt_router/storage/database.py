"""gateway.db: SQLite in WAL mode, one writer thread with a queue, migrations by number.

A database that cannot be trusted (corrupt, of a newer version, of another program) is left as it is, to
the byte, and not used; one that cannot be written for the moment (a full disk) is tried again. Neither
takes anything off air: whoever writes gets Unavailable, keeps what matters in memory, and `trouble` says why.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import queue
import sqlite3
import stat
import threading
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import TypeVar

from srt_router.errors import SrtRouterError

log = logging.getLogger("Storage")

T = TypeVar("T")
Job = Callable[[sqlite3.Connection], T]

FILE_NAME = "gateway.db"
APPLICATION_ID = 0x53525452
"""`SRTR`: what tells our database from another program's."""

_MAGIC = b"SQLite format 3\x00"
_HEADER_BYTES = 100
_BUSY_MS = 5000
_WAL_BYTES = 16 * 1024 * 1024
"""The write-ahead log is cut back to so much."""


class Unavailable(SrtRouterError):  # noqa: N818 - said as it is
    """The database cannot be used, for the reason given: for now, or until somebody has mended it."""

    code = "storageUnavailable"


class Refused(Unavailable):
    """The file is left alone until the server starts again."""


class Database:
    """One gateway.db, used from one event loop."""

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / FILE_NAME
        self.trouble: str | None = None
        """Why it cannot be used at the moment, with what to do; None while it can."""
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._connection: sqlite3.Connection | None = None
        self._refused = False
        self._thread: threading.Thread | None = None

    async def write(self, job: Job[T]) -> T:
        """Run `job` in one transaction, in the writer thread. Raises Unavailable, and nothing was written then."""
        return await self._submit(lambda: self._transaction(job))

    async def read(self, job: Job[T]) -> T:
        """Run `job` on a connection of its own that cannot write. Raises Unavailable."""
        await self._submit(self._open)
        return await asyncio.to_thread(self._read, job)

    async def exclusively(self, work: Callable[[Path], T]) -> T:
        """Let `work` do with the file what it likes, closed, in the writer thread; then start afresh with it."""
        return await self._submit(lambda: self._closed_for(work))

    async def close(self, patience_s: float = 2.0) -> None:
        """Finish what was ordered and close; a disk that hangs is waited for no longer than `patience_s`."""
        if self._thread is None:
            return
        self._jobs.put(None)
        thread, self._thread = self._thread, None
        await asyncio.to_thread(thread.join, patience_s)

    # The writer thread

    def _submit(self, work: Callable[[], T]) -> asyncio.Future[T]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def run() -> None:
            try:
                value = work()
            except BaseException as error:  # noqa: BLE001 - whoever waits for the answer gets it
                _call(loop, _fail, answer, error)
            else:
                _call(loop, _succeed, answer, value)

        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="gateway.db", daemon=True)
            self._thread.start()
        self._jobs.put(run)
        return answer

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _transaction(self, job: Job[T]) -> T:
        connection = self._open()
        try:
            connection.execute("BEGIN IMMEDIATE")
            try:
                value = job(connection)
                connection.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise
        except (sqlite3.Error, OverflowError) as error:  # the latter: a number that was read there is out of range
            raise self._failed(error) from error
        self._well()
        return value

    def _closed_for(self, work: Callable[[Path], T]) -> T:
        self._close_now()
        value = work(self.path)
        self._refused = False
        with contextlib.suppress(Unavailable):  # `trouble` tells it, and the next one tries again
            self._open()
        return value

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None:
            return self._connection
        if self._refused:
            raise Refused(self.trouble or "")
        try:
            examine(self.path)
            _make(self.path)
            self._connection = connect(self.path)
        except Refused as error:
            self._refuse(str(error))
            raise
        except (OSError, sqlite3.Error) as error:
            raise self._failed(error) from error
        self._well()
        return self._connection

    def _read(self, job: Job[T]) -> T:
        try:
            with contextlib.closing(sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True)) as connection:
                connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
                connection.text_factory = _text
                return job(connection)
        except (sqlite3.Error, OverflowError) as error:
            raise Unavailable(f"{self.path} cannot be read: {error}") from error

    # How it fares

    def _failed(self, error: sqlite3.Error | OSError | OverflowError) -> Unavailable:
        if is_damage(error):
            self._close_now()
            return self._refuse(f"{self.path} is damaged ({error})")
        trouble = f"{self.path} cannot be written ({error}): events are kept in memory until it can"
        if trouble != self.trouble:
            log.error("%s", trouble)
        self.trouble = trouble
        return Unavailable(trouble)

    def _refuse(self, problem: str) -> Refused:
        self._refused = True
        self.trouble = (
            f"{problem}: it is left as it is, and events are kept in memory only. "
            "Remedy: restore a backup (srt-router backup restore), or stop the server, move the file away, start again"
        )
        log.error("%s", self.trouble)
        return Refused(self.trouble)

    def _close_now(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    def _well(self) -> None:
        if self.trouble is not None:
            log.info("%s can be written again", self.path)
            self.trouble = None


def is_damage(error: BaseException) -> bool:
    """True where trying again cannot help: the file is no database, or a broken one."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def examine(path: Path) -> None:
    """Look at the file without SQLite, which might change it. Raises Refused where it is not ours to write."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    except OSError as error:
        raise Refused(f"{path} cannot be opened ({error.strerror})") from error
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise Refused(f"{path} is no regular file")
        header = os.read(fd, _HEADER_BYTES)
    finally:
        os.close(fd)
    if not header:
        return
    if len(header) < _HEADER_BYTES or not header.startswith(_MAGIC):
        raise Refused(f"{path} is damaged, or no database at all")
    _judge(path, int.from_bytes(header[60:64]), int.from_bytes(header[68:72]))


def _judge(path: Path, version: int, application: int) -> None:
    if application not in (0, APPLICATION_ID) or (application == 0 and version != 0):
        raise Refused(f"{path} is a database of another program")
    if version > newest():
        raise Refused(f"{path} was written by a newer SRT Router (version {version}, this one knows {newest()})")


def _make(path: Path) -> None:
    """Nobody else may read it: events tell who is on air with whom."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(fd, 0o600)
    finally:
        os.close(fd)


def connect(path: Path) -> sqlite3.Connection:
    """Open a database for writing and bring it to the newest layout. Raises Refused, sqlite3.Error."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.text_factory = _text
    try:
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
        version, application = _number(connection, "user_version"), _number(connection, "application_id")
        _judge(path, version, application)
        if application == 0 and connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            raise Refused(f"{path} is a database of another program")  # noqa: TRY301 - the connection is closed below
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES}")
        migrate(connection, version)
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.close()
        raise
    return connection


def _text(stored: bytes) -> str:
    """Text that a disk has spoilt is better than none of all the rows around it."""
    return stored.decode("utf-8", "replace")


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])


def migrations() -> list[str]:
    """The SQL of every migration; the first one makes version 1 of nothing."""
    folder = resources.files("srt_router.storage") / "migrations"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    for number, file in enumerate(files, 1):
        if not file.name.startswith(f"{number:04d}_"):
            raise RuntimeError(f"migrations are numbered from 0001 without a gap: {file.name}")
    return [file.read_text("utf-8") for file in files]


def newest() -> int:
    """The version that this program writes."""
    return len(migrations())


def migrate(connection: sqlite3.Connection, version: int, upto: int | None = None) -> None:
    """Bring a database of `version` to the newest one, each step wholly or not at all."""
    for number, sql in list(enumerate(migrations(), 1))[version:upto]:
        try:
            connection.executescript(
                f"BEGIN IMMEDIATE; PRAGMA application_id = {APPLICATION_ID};\n{sql}\n"
                f"PRAGMA user_version = {number}; COMMIT;"
            )
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _call(loop: asyncio.AbstractEventLoop, answer: Callable[..., None], *arguments: object) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(answer, *arguments)


def _succeed(answer: asyncio.Future[T], value: T) -> None:
    if not answer.done():
        answer.set_result(value)


def _fail(answer: asyncio.Future[object], error: BaseException) -> None:
    if not answer.done():
        answer.set_exception(error)
