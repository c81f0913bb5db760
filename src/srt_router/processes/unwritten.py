"""Files of live processes that could not be written, until they can: a disk that is full for a moment drops none."""

from __future__ import annotations

import logging
from collections.abc import Callable

log = logging.getLogger("PidManager")


class Unwritten:
    """What is to be written again, by file name."""

    def __init__(self) -> None:
        self._writes: dict[str, Callable[[], None]] = {}

    def try_to(self, name: str, write: Callable[[], None]) -> OSError | None:
        """Write now; an error is answered, and the file is written as soon as that can be done."""
        try:
            write()
        except OSError as error:
            self._writes[name] = write
            return error
        self._writes.pop(name, None)
        return None

    def forget(self, name: str) -> None:
        """Nobody needs that file any more."""
        self._writes.pop(name, None)

    def retry(self) -> None:
        """Write what can be written by now."""
        for name, write in list(self._writes.items()):
            if self.try_to(name, write) is None:
                log.info("%s could be written at last", name)
