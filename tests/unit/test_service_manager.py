"""What systemd is told, and when nobody is."""

from __future__ import annotations

import os
import socket

import pytest

from srt_router.service_manager import ServiceManager


def listening() -> tuple[socket.socket, str]:
    """A socket in the abstract namespace, as systemd has for containers."""
    found = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    found.bind("")  # the kernel makes up a name
    found.setblocking(False)
    name = found.getsockname()
    return found, "@" + (name.decode() if isinstance(name, bytes) else name).removeprefix("\0")


def test_a_status_is_told_when_it_is_another_one() -> None:
    heard, address = listening()
    with heard:
        manager = ServiceManager.of({"NOTIFY_SOCKET": address})
        for text in ("1 of 1", "1 of 1", "0 of 1"):
            manager.status(text)
        manager.stopping("the end")
        told = [heard.recv(4096).decode() for _ in range(3)]
        assert told == ["STATUS=1 of 1", "STATUS=0 of 1", "STOPPING=1\nSTATUS=the end"]
        manager.alive()  # nobody watches
        with pytest.raises(BlockingIOError):
            heard.recv(4096)


@pytest.mark.parametrize(
    ("environment", "watches"),
    [
        ({"WATCHDOG_USEC": "30000000"}, True),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, True),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, False),
        ({"WATCHDOG_USEC": "much"}, False),
        ({}, False),
    ],
)
def test_who_is_watched(environment: dict[str, str], *, watches: bool) -> None:
    assert ServiceManager.of(environment).watches is watches


@pytest.mark.parametrize("address", ["", "vsock:2:1234", "/no/such/place"])
def test_nobody_listens(address: str) -> None:
    manager = ServiceManager.of({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1"})
    manager.ready()
    manager.reloading()
    manager.alive()


def test_a_socket_that_is_full_holds_nobody_up() -> None:
    heard, address = listening()
    with heard:
        manager = ServiceManager.of({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1"})
        for _ in range(10_000):
            manager.alive()
