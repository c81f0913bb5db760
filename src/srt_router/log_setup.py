"""Log lines: bare on standard output (whoever reads it adds the time), with time in LOG_DIR."""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import queue
import sys
import time
from collections.abc import Iterator
from pathlib import Path

FILE_NAME = "srt-router.log"
_MAX_BYTES = 10_000_000
_KEPT = 10
_FLUSH_S = 1.0
"""How long the end of the program waits for a reader of standard output that does not read."""
_WAITING = 20_000
"""So many lines wait for a reader of standard output that does not read; later ones are lost, and counted."""


class _OneLine(logging.Formatter):
    """Keeps what others named (a file, a program, a field) from forging lines or steering a terminal."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        text = super().formatMessage(record)
        return text if text.isprintable() else "".join(char if char.isprintable() else "�" for char in text)


class _Queue(logging.handlers.QueueHandler):
    """Hands lines to the thread that writes them, and never keeps more than it should."""

    def __init__(self, lines: queue.SimpleQueue[logging.LogRecord]) -> None:
        super().__init__(lines)
        self._lines = lines
        self._lost = 0

    def enqueue(self, record: logging.LogRecord) -> None:
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


@contextlib.contextmanager
def logging_to(folder: Path | None) -> Iterator[None]:
    """Send log lines as `[Component] message` to standard output, and with time and level into `folder`.

    A thread writes them, so that a full disk or a terminal that does not read never blocks the event loop.
    """
    console = logging.StreamHandler(sys.stdout)
    console.setFormatter(logging.Formatter("[%(name)s] %(message)s"))
    handlers: list[logging.Handler] = [_Quietly("Standard output", console)]
    problem = None
    if folder is not None:
        try:
            handlers.append(_Quietly(f"The log file {folder / FILE_NAME}", _file_handler(folder)))
        except OSError as error:
            problem = f"No log file: {folder}: {error.strerror}"
    lines: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    queued = _Queue(lines)
    queued.setFormatter(_OneLine())
    root.handlers = [queued]
    for name in ("uvicorn", "httpx", "watchfiles.main"):
        logging.getLogger(name).setLevel(logging.WARNING)
    listener = logging.handlers.QueueListener(lines, *handlers)
    listener.start()
    if problem:
        root.warning(problem)
    thread = listener._thread
    try:
        yield
    finally:
        listener.enqueue_sentinel()
        if thread is not None:
            thread.join(_FLUSH_S)
        if thread is None or not thread.is_alive():  # else it still writes to them
            for handler in handlers[1:]:
                handler.close()


def _file_handler(folder: Path) -> logging.Handler:
    folder.mkdir(parents=True, exist_ok=True, mode=0o750)
    file = logging.handlers.RotatingFileHandler(folder / FILE_NAME, maxBytes=_MAX_BYTES, backupCount=_KEPT)
    file.setFormatter(_Utc("%(asctime)s %(levelname)s [%(name)s] %(message)s"))
    return file
