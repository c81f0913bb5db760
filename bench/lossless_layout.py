"""The route of the lossless bench: one SRT source, four SRT and two UDP destinations, and its receivers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.media.receivers import SrtReceiver, UdpReceiver
from tests.media.srt_url import SrtUrl

LATE = "srt listener, joined late"


@dataclass(frozen=True)
class Layout:
    """The ends of the route as the system under test has them."""

    source: SrtUrl
    listeners: tuple[SrtUrl, SrtUrl]
    """Two destinations that wait for a caller; the second one's comes when the stream is on air already."""
    callers: tuple[SrtUrl, SrtUrl]
    unicast: tuple[str, int] = ("127.0.0.1", 5000)
    multicast: tuple[str, int] = ("239.10.0.1", 5002)


def layout(*, encrypted: bool, latency_ms: int) -> Layout:
    """Return the route; encrypted means AES-256 on every SRT leg."""

    def leg(port: int, mode: str) -> SrtUrl:
        url = SrtUrl(port, mode, latency_ms=latency_ms)
        return replace(url, passphrase="correct-horse-42", pbkeylen=32) if encrypted else url  # noqa: S106

    return Layout(
        source=leg(4082, "listener"),
        listeners=(leg(6000, "listener"), leg(6001, "listener")),
        callers=(leg(7000, "caller"), leg(7001, "caller")),
    )


def other_side(url: SrtUrl) -> SrtUrl:
    """Return the address with which a tool meets that leg."""
    return replace(url, mode="caller" if url.mode == "listener" else "listener")


class Receivers:
    """Everything that receives from the route, by name."""

    def __init__(self, route: Layout, folder: Path, stack: ExitStack) -> None:
        self.all: dict[str, SrtReceiver | UdpReceiver] = {}
        self._route = route
        self._folder = folder
        self._stack = stack

    def open_listening(self) -> None:
        """Start those that must be there before the route is: whom it calls, and who listens to UDP."""
        for number, url in enumerate(self._route.callers, start=1):
            self._add_srt(f"srt caller {number}", url).wait_event("listening")
        for name, (host, port) in (("udp unicast", self._route.unicast), ("udp multicast", self._route.multicast)):
            self.all[name] = self._stack.enter_context(UdpReceiver(host, port, self._folder / name))

    def call(self) -> None:
        """Call the first listener, and wait until every SRT destination but the late one has its peer."""
        self._add_srt("srt listener", self._route.listeners[0])
        for receiver in self.all.values():
            if isinstance(receiver, SrtReceiver):
                receiver.wait_connected()

    def call_late(self) -> None:
        """Call the second listener."""
        self._add_srt(LATE, self._route.listeners[1]).wait_connected()

    def _add_srt(self, name: str, url: SrtUrl) -> SrtReceiver:
        receiver = SrtReceiver(other_side(url), self._folder / name)
        self.all[name] = self._stack.enter_context(receiver)
        return receiver


@contextmanager
def receivers(route: Layout, folder: Path) -> Iterator[Receivers]:
    """Stop every receiver at the end."""
    with ExitStack() as stack:
        yield Receivers(route, folder, stack)
