"""One stream through one system: what it cost, what was lost, how long it took."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from bench.data_path_pictures import Stream, arrival, read
from bench.data_path_systems import LATENCY_MS, SOURCE_PORT, Ends, System
from tests.harness.wait import until
from tests.media.receivers import SrtReceiver
from tests.media.senders import SrtSender
from tests.media.srt_url import SrtUrl
from tests.media.transport_stream import check, compare

SECONDS = 12
"""Length of every stream: a key frame every two seconds. Before it is measured, our stream monitor has been started,
and has had ffprobe look at the stream."""
_FIRST_PORT = 7000
_WARM_S = 5.0
_WINDOW_S = 1.0
_JUDGED = 0.9
"""Pictures of the last tenth are not judged: a program that ends with its source may keep them."""
_PATIENCE_S = 20.0


@dataclass
class Found:
    """What one run has shown."""

    system: str
    mbps: int
    destinations: int
    cannot: str = ""
    """Why there are no figures."""
    cost: list[float] = field(default_factory=list)
    """Per cent of one core for each delivered Mb/s, by second."""
    carrying: list[float] = field(default_factory=list)
    """The part of it that the processes take which the stream goes through."""
    delivered_mbps: float = 0.0
    """Of all destinations together."""
    memory_mb: float = 0.0
    busy_percent: float = 0.0
    """Of the whole machine, the senders and receivers of the bench included."""
    pictures: int = 0
    pictures_lost: int = 0
    continuity_errors: int = 0
    missing_bytes: int | None = 0
    """None: the bytes are not those that were sent, by design."""
    added_ms: list[float] = field(default_factory=list)
    """What each picture took, without the latency of both SRT legs."""

    @property
    def median_cost(self) -> float:
        """Of all seconds."""
        return statistics.median(self.cost)


def run(kind: type[System], stream: Path, mbps: int, destinations: int, folder: Path) -> Found:
    """Play a stream through a system and look at what comes out. What it cannot do is said in `cannot`."""
    found = Found(kind.name, mbps, destinations)
    ports = tuple(range(_FIRST_PORT, _FIRST_PORT + destinations))
    with _receivers(ports, folder) as receivers, kind(folder / "system") as system:
        system.start(Ends(ports, "caller"))
        try:
            if not system.waits_for_source:
                _all_connected(receivers)
            stamps = folder / "sent"
            url = SrtUrl(SOURCE_PORT, "caller", latency_ms=LATENCY_MS)
            with SrtSender(stream, url, stamps=stamps) as sender:
                _measure(found, system, receivers, sender)
                sender.wait_end(_PATIENCE_S)
            _until_quiet(receivers)
        except AssertionError as error:
            found.cannot = f"{str(error).split(', but')[0]}; {system.ended() or 'it runs'}; it said: {system.said()}"
            return found
        if ended := system.ended():
            found.cannot = "" if system.ends_with_source else ended
    found.missing_bytes = None if kind.remuxes else 0
    sent = read(stream, stamps)
    for port in ports:
        _judge(found, (stream, sent), folder / f"{port}.ts", settled_s=_WARM_S + kind.looks_s)
    if not found.added_ms:
        found.cannot = found.cannot or "no picture came out whole"
    assert not found.added_ms or statistics.median(found.added_ms) > -LATENCY_MS, "a picture came before it was sent"
    return found


@contextmanager
def _receivers(ports: tuple[int, ...], folder: Path) -> Iterator[list[SrtReceiver]]:
    with ExitStack() as stack:
        receivers = []
        for port in ports:
            url = SrtUrl(port, "listener", latency_ms=LATENCY_MS)
            receiver = SrtReceiver(url, folder / f"{port}.ts", stamps=folder / f"{port}.stamps")
            receivers.append(stack.enter_context(receiver))
        for receiver in receivers:
            receiver.wait_event("listening", _PATIENCE_S)
        yield receivers


def _all_connected(receivers: list[SrtReceiver]) -> None:
    for receiver in receivers:
        receiver.wait_connected(_PATIENCE_S)


def _measure(found: Found, system: System, receivers: list[SrtReceiver], sender: SrtSender) -> None:
    """Look at the processor once a second, from when all has settled until the stream ends."""
    sender.wait_connected(_PATIENCE_S)
    began = time.monotonic() + system.looks_s
    for receiver in receivers:
        receiver.wait_bytes(1, SECONDS)
    time.sleep(max(0.0, began + _WARM_S - time.monotonic()))
    looks = [_look(system, receivers, None)]
    busy = _machine_s()
    while time.monotonic() + _WINDOW_S < began + SECONDS - 0.5:
        time.sleep(max(0.0, looks[0].at_s + len(looks) * _WINDOW_S - time.monotonic()))
        looks.append(_look(system, receivers, looks[-1]))
    assert len(looks) > 1, "waited for the stream to come out in its first half"
    for before, after in pairwise(looks):
        megabits = (after.bytes - before.bytes) * 8 / 1e6
        assert megabits > 0, "waited for bytes in every second"
        found.cost.append(100 * (sum(after.cpu_s.values()) - sum(before.cpu_s.values())) / megabits)
        found.carrying.append(100 * (after.carrying_s - before.carrying_s) / megabits)
    took = looks[-1].at_s - looks[0].at_s
    found.delivered_mbps = (looks[-1].bytes - looks[0].bytes) * 8 / 1e6 / took
    found.busy_percent = 100 * (_machine_s() - busy) / took / (os.cpu_count() or 1)
    found.memory_mb = sum(_memory_mb(pid) for pid in system.pids())


@dataclass(frozen=True)
class _Look:
    at_s: float
    cpu_s: dict[int, float]
    """By process, those included that were there before and have ended: ffprobe, a thumbnail."""
    carrying_s: float
    bytes: int


def _look(system: System, receivers: list[SrtReceiver], before: _Look | None) -> _Look:
    pids = system.pids()
    taken = {pid: cpu_s(pid) for pid in pids}
    carrying = sum(seconds for pid, seconds in taken.items() if pids[pid])
    every = {pid: max(taken.get(pid, 0.0), ended) for pid, ended in before.cpu_s.items()} if before else {}
    size = sum(receiver.file.stat().st_size for receiver in receivers)
    return _Look(time.monotonic(), taken | every, carrying, size)


def cpu_s(pid: int) -> float:
    """Processor time of a process, with all its threads, as the scheduler counted it; 0 when it is gone."""
    total = 0
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def _memory_mb(pid: int) -> float:
    """Its share of memory: what several processes use is divided among them."""
    with suppress(OSError):
        words = Path(f"/proc/{pid}/smaps_rollup").read_text().split("\nPss:")[1].split()
        return int(words[0]) / 1000
    return 0.0


def _machine_s() -> float:
    """Processor time of everything that runs here, the tools of the bench included. (/proc/stat counts by ticks.)"""
    return sum(cpu_s(int(folder.name)) for folder in Path("/proc").glob("[0-9]*"))


def _until_quiet(receivers: list[SrtReceiver]) -> None:
    """Until nothing has come for as long as SRT holds anything back."""
    last = (0, 0.0)

    def quiet() -> bool:
        nonlocal last
        size = sum(receiver.file.stat().st_size for receiver in receivers)
        if size != last[0]:
            last = (size, time.monotonic())
        return time.monotonic() - last[1] > 4 * LATENCY_MS / 1000

    until(quiet, _PATIENCE_S, "the stream to end")


def _judge(found: Found, source: tuple[Path, Stream], file: Path, *, settled_s: float) -> None:
    """Count in what arrived at one destination."""
    stream, sent = source
    received = read(file, file.with_suffix(".stamps"))
    one = arrival(sent, received, judged=_JUDGED, settled_s=settled_s)
    found.pictures += one.sent
    found.pictures_lost += one.lost
    found.added_ms += [took - 2 * LATENCY_MS for took in one.took_ms]
    found.continuity_errors += check(file).continuity_total
    if found.missing_bytes is not None:
        found.missing_bytes += compare(stream, file).missing_bytes
