"""A UDP relay that loses SRT data packets on purpose, and knows exactly how many."""

from __future__ import annotations

import select
import socket
import threading
from types import TracebackType
from typing import Self

_CONTROL = 0x80
"""First bit of an SRT packet: control, not data."""
_RETRANSMITTED = 0x04
"""In the fifth byte: sent again."""
_LOOK_S = 0.2


class LossyRelay:
    """Stands between one SRT caller and a listener; loses every n-th data packet of those sent for the first time.

    Packets that are sent again and control packets pass, so what is lost is lost once and comes in the end.
    """

    def __init__(self, port: int, target_port: int, *, every: int, host: str = "127.0.0.1") -> None:
        self.port = port
        self.lost = 0
        self.passed = 0
        """Data packets, first and further tries."""
        self.sent_again = 0
        self._every = every
        self._first = 0
        self._outside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._outside.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_000_000)
        self._outside.bind((host, port))
        self._inside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._inside.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_000_000)
        self._inside.bind((host, 0))
        self._target = (host, target_port)
        self._caller: tuple[str, int] | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._outside.close()
        self._inside.close()

    def _run(self) -> None:
        while not self._ended.is_set():
            ready, _, _ = select.select([self._outside, self._inside], [], [], _LOOK_S)
            for arrived in ready:
                self._relay(arrived)

    def _relay(self, arrived: socket.socket) -> None:
        packet, sender = arrived.recvfrom(2048)
        if arrived is self._outside:
            self._caller = sender
            if not self._loses(packet):
                self._inside.sendto(packet, self._target)
        elif self._caller and not self._loses(packet):
            self._outside.sendto(packet, self._caller)

    def _loses(self, packet: bytes) -> bool:
        if packet[0] & _CONTROL:
            return False
        if packet[4] & _RETRANSMITTED:
            self.sent_again += 1
        else:
            self._first += 1
            if self._first % self._every == 0:
                self.lost += 1
                return True
        self.passed += 1
        return False
