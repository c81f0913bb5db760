"""Log lines: bare on standard output (whoever reads it adds the time), with time in LOG_DIR."""

from __future__ import annotations

import contextlib
import gzip
import json
import logging
import logging.handlers
import queue
import re
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

FILE_NAME = "srt-router.log"


class LogFormat(StrEnum):
    """LOG_FORMAT: how lines are written."""

    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    """LOG_LEVEL: the least important lines that are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class LogSettings:
    """What is written, and how much of it is kept."""

    format: LogFormat = LogFormat.TEXT
    level: LogLevel = LogLevel.INFO
    file_bytes: int = 100_000_000
    """A file that has grown to so many bytes is compressed, and a new one begun."""
    files: int = 100
    """So many compressed files are kept."""


def log_level() -> LogLevel:
    """The least important lines that are written at present."""
    return LogLevel(logging.getLevelName(logging.getLogger().level).lower())


def set_log_level(level: LogLevel) -> None:
    """Write these lines and all that are more important, from now on."""
    logging.getLogger().setLevel(level.upper())


_FLUSH_S = 1.0
"""How long the end of the program waits for a reader of standard output that does not read."""
_WAITING = 20_000
"""So many lines wait for a reader of standard output that does not read; later ones are lost, and counted."""
_REPEATS_SHOWN = 3
"""The first so many of a line that repeats itself are written, the others counted."""
_REPEATS_S = 60.0
"""A line that repeats itself is written again after so long at the latest."""
_ROUTE = re.compile(r"\b[Rr]oute ([A-Za-z0-9_-]{1,64})\b")


class _OneLine(logging.Formatter):
    """Keeps what others named (a file, a program, a field) from forging lines or steering a terminal."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        return _printable(super().formatMessage(record))

    def formatException(self, ei: object) -> str:  # noqa: N802 - logging's name
        """A traceback, moved to the right: what an error quotes begins no line that somebody greps for."""
        text = super().formatException(ei)  # type: ignore[arg-type]
        return "\n".join(f"  {_printable(line)}" for line in text.splitlines())


def _printable(text: str) -> str:
    return text if text.isprintable() else "".join(char if char.isprintable() else "�" for char in text)


class _Queue(logging.handlers.QueueHandler):
    """Hands lines to the thread that writes them, and never keeps more than it should."""

    def __init__(self, lines: queue.SimpleQueue[logging.LogRecord]) -> None:
        super().__init__(lines)
        self._lines = lines
        self._lost = 0
        self._last: tuple[str, int, str] | None = None
        self._last_at = 0.0
        self._shown = 0
        self._repeated = 0

    def enqueue(self, record: logging.LogRecord) -> None:
        """Add a line; one that is the same as the line before is counted instead."""
        line = record.name, record.levelno, record.getMessage()
        if line == self._last and time.monotonic() - self._last_at < _REPEATS_S:
            self._shown += 1
            if self._shown > _REPEATS_SHOWN:
                self._repeated += 1
                return
        else:
            self.tell_repeats()
            self._last, self._last_at, self._shown = line, time.monotonic(), 1
        self._add(record)

    def tell_repeats(self) -> None:
        """Say how often the last line has come again."""
        if self._repeated and self._last:
            name, level, _ = self._last
            times = "once" if self._repeated == 1 else f"{self._repeated} times"
            self._repeated = 0
            self._add(logging.LogRecord(name, level, __file__, 0, f"(the line before, again {times})", None, None))

    def _add(self, record: logging.LogRecord) -> None:
        """Add a line, or count it as lost where too many wait."""
        waiting = self._lines.qsize()
        if waiting >= _WAITING:
            self._lost += 1
            return
        if self._lost and waiting < _WAITING // 2:
            lost, self._lost = self._lost, 0
            text = f"{lost} log lines were lost here: who reads standard output, or the disk, was too slow for them"
            self._lines.put_nowait(logging.LogRecord("SrtRouter", logging.WARNING, __file__, 0, text, None, None))
        self._lines.put_nowait(record)


class _Quietly(logging.Handler):
    """Says once what keeps it from writing, instead of a traceback for each line."""

    def __init__(self, what: str, writes_to: logging.Handler) -> None:
        super().__init__()
        self._what = what
        self._handler = writes_to
        self._trouble: str | None = None
        self._failed = False
        writes_to.handleError = self._fails  # type: ignore[method-assign]

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line; the first one that can be written again says that lines are missing."""
        self._failed = False
        self._handler.handle(record)
        if self._trouble and not self._failed:
            self._say(f"{self._what} can be written again; lines are missing there")
            self._trouble = None

    def close(self) -> None:
        """Give the file back."""
        with contextlib.suppress(OSError):  # what could not be written is written now, or is lost
            self._handler.close()
        super().close()

    def _fails(self, record: logging.LogRecord) -> None:
        del record  # it is lost
        self._failed = True
        error = sys.exc_info()[1]
        trouble = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
        if trouble != self._trouble:
            self._trouble = trouble
            self._say(f"{self._what} cannot be written ({trouble}): lines are lost there until it can")

    @staticmethod
    def _say(text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            print(f"[SrtRouter] {text}", file=sys.stderr, flush=True)


class _Utc(logging.Formatter):
    converter = staticmethod(time.gmtime)
    default_msec_format = "%s.%03dZ"
    default_time_format = "%Y-%m-%dT%H:%M:%S"


class _Json(logging.Formatter):
    """One object in one line: time in UTC, level, component, message, and the route where the message names one."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        message = record.getMessage()
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"
        entry = {"at": at, "level": record.levelname.lower(), "component": record.name, "message": message}
        if named := _ROUTE.search(message.partition("\n")[0]):
            entry["route"] = named[1]
        return json.dumps(entry, ensure_ascii=False)


@contextlib.contextmanager
def logging_to(folder: Path | None, settings: LogSettings = LogSettings()) -> Iterator[None]:
    """Send log lines as `[Component] message` to standard output, and with time and level into `folder`.

    Threads write them, so that a full disk or a terminal that does not read never blocks the event loop.
    """
    console = logging.StreamHandler(sys.stdout)
    as_json = settings.format is LogFormat.JSON
    console.setFormatter(_Json() if as_json else logging.Formatter("[%(name)s] %(message)s"))
    handlers: list[logging.Handler] = [_Quietly("Standard output", console)]
    problem = None
    if folder is not None:
        try:
            handlers.append(_Quietly(f"The log file {folder / FILE_NAME}", _file_handler(folder, settings)))
        except OSError as error:
            problem = f"No log file: {folder}: {error.strerror}"
    root = logging.getLogger()
    set_log_level(settings.level)
    for name in ("uvicorn", "httpx", "watchfiles.main"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # a line for each stranger's broken request fills a disk
    writers = [_Writer(handler) for handler in handlers]
    root.handlers = [writer.queued for writer in writers]
    if problem:
        root.warning(problem)
    try:
        yield
    finally:
        for writer in writers:
            writer.end()


class _Writer:
    """Writes lines to one place, in a thread of its own: a terminal that does not read must not stop the file."""

    def __init__(self, handler: logging.Handler) -> None:
        lines: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
        self.queued = _Queue(lines)
        self.queued.setFormatter(_OneLine())
        self._handler = handler
        self._listener = logging.handlers.QueueListener(lines, handler)
        self._listener.start()
        self._thread = self._listener._thread

    def end(self) -> None:
        """Write what waits, for as long as that takes at most, and give the place back."""
        self.queued.tell_repeats()
        self._listener.enqueue_sentinel()
        if self._thread is not None:
            self._thread.join(_FLUSH_S)
            if self._thread.is_alive():  # it still writes to it
                return
        self._handler.close()


def _file_handler(folder: Path, settings: LogSettings) -> logging.Handler:
    folder.mkdir(parents=True, exist_ok=True, mode=0o750)
    file = logging.handlers.RotatingFileHandler(
        folder / FILE_NAME, maxBytes=settings.file_bytes, backupCount=settings.files
    )
    file.namer = lambda name: f"{name}.gz"
    file.rotator = _compress
    as_json = settings.format is LogFormat.JSON
    file.setFormatter(_Json() if as_json else _Utc("%(asctime)s %(levelname)s [%(name)s] %(message)s"))
    return file


def _compress(source: str, target: str) -> None:
    """Of a full file; in the thread that writes lines, which wait meanwhile. A crash leaves the whole file or both."""
    part = Path(f"{target}.part")
    with Path(source).open("rb") as plain, gzip.open(part, "wb", compresslevel=6) as packed:
        shutil.copyfileobj(plain, packed, 1 << 20)
    part.rename(target)
    Path(source).unlink()
