"""inotify(7) through the C library: which of our log files has grown, without polling and without a thread."""

from __future__ import annotations

import ctypes
import os
import struct

IN_MODIFY = 0x2
_IN_NONBLOCK = os.O_NONBLOCK
_IN_CLOEXEC = os.O_CLOEXEC
_EVENT = struct.Struct("iIII")
_libc = ctypes.CDLL(None, use_errno=True)


class Inotify:
    """One inotify instance; its descriptor is readable when a watched file was written."""

    def __init__(self) -> None:
        self.fd = _checked(_libc.inotify_init1(_IN_NONBLOCK | _IN_CLOEXEC), "inotify_init1")

    def watch(self, path: str) -> int:
        """Watch one file for writes; the answer is the number its events carry."""
        return _checked(_libc.inotify_add_watch(self.fd, os.fsencode(path), IN_MODIFY), f"inotify {path}")

    def unwatch(self, number: int) -> None:
        """Stop watching; a file that was removed meanwhile is no error."""
        _libc.inotify_rm_watch(self.fd, number)

    def read(self) -> set[int]:
        """The numbers of the files that were written since the last call."""
        numbers: set[int] = set()
        while True:
            try:
                data = os.read(self.fd, 65536)
            except BlockingIOError:
                return numbers
            at = 0
            while at < len(data):
                number, _mask, _cookie, length = _EVENT.unpack_from(data, at)
                numbers.add(number)
                at += _EVENT.size + length

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self.fd)


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result
