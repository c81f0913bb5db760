"""One destination's client comes late, leaves and comes back: what do the others lose?"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.data_path_pictures import arrival, read
from bench.data_path_systems import LATENCY_MS, SOURCE_PORT, Ends, System
from bench.results import Cell, Table
from tests.media.receivers import SrtReceiver
from tests.media.senders import SrtSender
from tests.media.srt_url import SrtUrl

SECONDS = 11
_PORTS = (7000, 7001, 7002)
"""The first one's client is the one that comes and goes."""
_COMES_S, _LEAVES_S, _RETURNS_S = 3.0, 5.5, 7.0
_JUDGED = 0.9
_PATIENCE_S = 20.0


@dataclass(frozen=True)
class Left:
    """What happened to the others, and to the one."""

    system: str
    cannot: str = ""
    first_s: float | None = None
    """Seconds from the source's connection to the first byte at the others, the slower one; None: never."""
    others_lost: int = 0
    """Pictures that did not arrive at the others, of those sent from the first that did."""
    others_of: int = 0
    stall_s: float = 0.0
    """The longest time in which nothing came at the others, once something had come."""
    others_cut: int = 0
    """How often the others lost their connection."""
    source_cut: int = 0
    """How often the source lost its connection before its end."""
    came_s: float | None = None
    """Seconds from the first call of the one to its first byte; None: never."""
    back_s: float | None = None
    """The same after it had left."""
    ended: str = ""


def run(kind: type[System], stream: Path, folder: Path) -> Left:
    """Three destinations are listeners; two clients stay, one comes late, leaves properly and comes back."""
    with ExitStack() as stack:
        system = stack.enter_context(kind(folder / "system"))
        system.start(Ends(_PORTS, "listener"))
        staying = [stack.enter_context(_client(port, folder, f"{port}")) for port in _PORTS[1:]]
        url = SrtUrl(SOURCE_PORT, "caller", latency_ms=LATENCY_MS)
        sender = stack.enter_context(SrtSender(stream, url, reconnect=True, stamps=folder / "sent"))
        try:
            sender.wait_connected(_PATIENCE_S)
        except AssertionError:
            return Left(kind.name, cannot=f"the source is never served; {system.ended() or 'it runs'}: {system.said()}")
        began_ns = time.monotonic_ns()
        began = time.monotonic() + kind.looks_s
        came = _stays(folder, "first", began + _COMES_S, began + _LEAVES_S)
        back = _stays(folder, "second", began + _RETURNS_S, began + SECONDS - 1)
        cut = len([each for each in sender.all_events("disconnected") if not sender.all_events("sent")])
        lost = sum(len(client.all_events("disconnected")) for client in staying)
        ended = system.ended()
        _until(began + SECONDS + 1)
        for tool in (*staying, sender):
            tool.stop()
    sent = read(stream, folder / "sent")
    there = [arrival(sent, read(client.file, client.file.with_suffix(".stamps")), judged=_JUDGED) for client in staying]
    times = [_times_ns(client.file) for client in staying]
    whole = all(len(each) > 1 for each in times)
    return Left(
        kind.name,
        first_s=max((int(each[0]) - began_ns) / 1e9 for each in times) if whole else None,
        others_lost=sum(one.lost for one in there),
        others_of=sum(one.sent for one in there),
        stall_s=max(float(np.diff(each).max()) / 1e9 for each in times) if whole else SECONDS,
        others_cut=lost,
        source_cut=cut,
        came_s=came,
        back_s=back,
        ended=ended,
    )


def _client(port: int, folder: Path, name: str) -> SrtReceiver:
    url = SrtUrl(port, "caller", latency_ms=LATENCY_MS)
    return SrtReceiver(url, folder / f"{name}.ts", reconnect=True, stamps=folder / f"{name}.stamps")


def _stays(folder: Path, name: str, since: float, until: float) -> float | None:
    """A client of the first destination, there for a while. Seconds from its call to its first byte."""
    _until(since)
    called_ns = time.monotonic_ns()
    with _client(_PORTS[0], folder, name) as client:
        _until(until)
    times = _times_ns(client.file)
    return (int(times[0]) - called_ns) / 1e9 if len(times) else None


def _until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))


def _times_ns(file: Path) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    stamps = file.with_suffix(".stamps")
    pairs = np.frombuffer(stamps.read_bytes() if stamps.exists() else b"", np.uint64)
    return pairs.reshape(-1, 2)[:, 1]


def table(found: list[Left]) -> Table:
    """What became of them."""
    rows: list[list[Cell]] = []
    for one in found:
        if one.cannot:
            rows.append([one.system, f"cannot: {' '.join(one.cannot.split())[:160]}", *("",) * 7])
            continue
        rows.append(
            [
                one.system,
                _seconds(one.first_s),
                f"{one.others_lost} of {one.others_of}",
                f"{one.stall_s:.2f} s",
                one.others_cut,
                one.source_cut,
                _seconds(one.came_s),
                _seconds(one.back_s),
                one.ended or "runs",
            ]
        )
    return Table(
        "One destination's client comes late, leaves and comes back",
        [
            "system",
            "first byte at the others",
            "their pictures lost",
            "their longest silence",
            "they were cut off",
            "source was cut off",
            "first byte for who came late",
            "for who came back",
            "at the end",
        ],
        rows,
        f"Three listeners as destinations, 6 Mb/s. Two clients are there from the beginning; the third comes after "
        f"{_COMES_S:g} s, leaves properly after {_LEAVES_S:g} s and comes back after {_RETURNS_S:g} s. Whoever loses "
        "its connection calls again, clients and source alike. The start of a client's own program (0.1 s) is in its "
        "times. ffmpeg with default options looks at its input for 5 s; there all of it happens 5 s later.",
    )


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.2f} s"
