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


class _OneLine(logging.Formatter):
    """Keeps what others named (a file, a program, a field) from forging lines or steering a terminal."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        text = super().formatMessage(record)
        return text if text.isprintable() else "".join(char if char.isprintable() else "�" for char in text)


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
    handlers: list[logging.Handler] = [console]
    problem = None
    if folder is not None:
        try:
            handlers.append(_file_handler(folder))
        except OSError as error:
            problem = f"No log file: {folder}: {error.strerror}"
    lines: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    queued = logging.handlers.QueueHandler(lines)
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
