"""What the stream monitor is told: a config file that names the buses, read again whenever it is another one."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass

from srt_router.transport_stream.budget import SHARE

_GROUP_FIRST = 239
THUMBNAIL_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Orders:
    """The text of one config file."""

    server: int
    """PID of the server: without it the monitor ends."""
    buses: tuple[tuple[str, int], ...]
    """Group and port of each."""
    probe: bool = True
    """Ask ffprobe what the pictures and sounds are."""
    share: float = SHARE
    """Of one core, for looking."""
    thumbnails: tuple[tuple[str, int], ...] = ()
    """Those of the buses of which somebody wants to see thumbnails."""
    thumbnail_share: float = THUMBNAIL_SHARE
    """Of one core, for making thumbnails."""


def parse(text: bytes) -> Orders:
    """Read a config file; a ValueError says what is wrong with it."""
    config = json.loads(text)
    if not isinstance(config, dict) or not isinstance(config.get("buses"), list):
        raise ValueError('not {"server": …, "buses": […]}')  # noqa: TRY004 - one kind of error: a broken file
    server, probe = config.get("server"), config.get("probe", True)
    if type(server) is not int or server < 1:
        raise ValueError(f"server {server!r} is no PID")
    thumbnails = config.get("thumbnails", [])
    if not isinstance(thumbnails, list):
        raise ValueError("thumbnails is no list of buses")  # noqa: TRY004 - as above
    return Orders(
        server,
        tuple(dict.fromkeys(map(_bus, config["buses"]))),
        probe is True,
        _share(config.get("share", SHARE)),
        tuple(dict.fromkeys(map(_bus, thumbnails))),
        _share(config.get("thumbnailShare", THUMBNAIL_SHARE)),
    )


def _share(value: object) -> float:
    if type(value) is not float or not 0 < value <= 1:
        raise ValueError(f"share {value!r} is no share of a core")
    return value


def _bus(entry: object) -> tuple[str, int]:
    match entry:
        case [str(group), int(port)] if _is_multicast(group) and 1 <= port <= 65535:
            return group, port
    raise ValueError(f"{entry!r} is not [group, port]")


def _is_multicast(group: str) -> bool:
    try:
        return socket.inet_pton(socket.AF_INET, group)[0] == _GROUP_FIRST
    except OSError:
        return False


class OrdersFile:
    """The file, followed by a look now and then."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.trouble: str | None = None
        """What was wrong with it at the last look."""
        self._seen: tuple[int, ...] = ()

    def read(self) -> Orders | None:
        """What it says, where it is new and sound; a broken one changes nothing."""
        try:
            with open(self.path, "rb") as file:  # noqa: PTH123 - looked at several times a second
                status = os.fstat(file.fileno())
                seen = (status.st_ino, status.st_mtime_ns, status.st_size)
                if seen == self._seen:
                    return None
                self._seen = seen
                orders = parse(file.read())
        except (OSError, ValueError, RecursionError) as error:
            self.trouble = str(error)
            return None
        self.trouble = None
        return orders
