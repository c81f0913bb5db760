"""What systemd is told (sd_notify(3)): ready, on air, stopping, reloading, and that the server is alive.

Without systemd (`NOTIFY_SOCKET` unset) nobody is told anything. Nothing here waits or raises: a service manager that
does not read costs nobody a stream.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class ServiceManager:
    """Whoever started us as a service."""

    address: str | None
    """Of its datagram socket; None: there is none."""
    watches: bool
    """It wants to be told that we live, or it ends us (WatchdogSec=)."""
    _status: str = ""
    _socket: socket.socket | None = field(default=None)

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> ServiceManager:
        """The one that the environment names."""
        address = environment.get("NOTIFY_SOCKET") or None
        if address and not address.startswith(("/", "@")):
            address = None  # vsock and the like: for virtual machines
        watched = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        return cls(address, watched and environment.get("WATCHDOG_USEC", "").isdigit())

    def ready(self) -> None:
        """What an earlier server left has been ended or taken over, and we answer: also after a reload."""
        self._tell("READY=1")

    def reloading(self) -> None:
        """We are about to go on with another program."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, status: str) -> None:
        """We are about to end."""
        self._status = status
        self._tell("STOPPING=1", f"STATUS={status}")

    def status(self, text: str) -> None:
        """What `systemctl status` shows."""
        if text != self._status:
            self._status = text
            self._tell(f"STATUS={text}")

    def alive(self) -> None:
        """The work that matters has just been done. To be called by who did it, not by a timer."""
        if self.watches:
            self._tell("WATCHDOG=1")

    def _tell(self, *lines: str) -> None:
        if self.address is None:
            return
        with contextlib.suppress(OSError):
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
                self._socket.setblocking(False)
            address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
            self._socket.sendto("\n".join(lines).encode(), address)
