"""One crash of one system while a real stream flows: what its two receivers saw of it.

python3 tests/harness/isolate.py python -m bench.outage_take SYSTEM DEED STREAM     (prints JSON)
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from bench.data_path_pictures import read
from bench.outage_systems import DEEDS, LATENCY_MS, SOURCE_PORT, SRT_PORT, SYSTEMS, UDP_PORT, System
from tests.harness.isolate import is_isolated
from tests.harness.wait import until
from tests.media.receivers import SrtReceiver, UdpReceiver
from tests.media.senders import SrtSender
from tests.media.srt_url import SrtUrl
from tests.media.transport_stream import PACKET_BYTES, check

DARK_S = 0.3
"""A longer pause than this is lost picture. Pictures come every 40 ms; a busy machine sends some of them late."""
PICTURE_S = 0.04
SETTLED_S = 1.0
"""Without a pause for so long: it is over."""
AT_LEAST_S = 7.0
"""libsrt needs 5 s to find out that a peer was killed."""
AT_MOST_S = 30.0
BEFORE_S = 1.5
_FIRST_BYTES = 400_000
_LOOKS_BACK_NS = 500_000_000
_MARGIN_S, _AT_MOST_BYTES_PER_S = 3.0, 1_000_000
_NEEDLE_BYTES = 20 * 1316
_TAIL_S = 1.0
_PATIENCE_S = 30.0


@dataclass(frozen=True)
class Seen:
    """What one destination saw."""

    dark_s: float
    """Seconds without a byte, pauses above DARK_S."""
    back: bool
    """The stream flows at the end."""
    pictures_lost: int
    """After the deed and before the last that arrived; -1: none arrived before."""
    missing_bytes: int | None
    """After the deed and before the last that arrived; None: they are not those that were sent, or came twice."""
    errors_per_s: float
    """Continuity errors in the last second: more than none, and the picture is broken for good."""


@dataclass(frozen=True)
class Take:
    """One deed."""

    cannot: str
    seen: Mapping[str, Seen]
    processes_before: int
    processes_after: int


class Pauses:
    """Watches files grow, so that it is known when all has settled."""

    def __init__(self, files: list[Path]) -> None:
        self._files = files
        self._sizes = [0] * len(files)
        self._grown = [time.monotonic()] * len(files)
        self._dark_until = [time.monotonic()] * len(files)

    def settled(self) -> bool:
        """True when each has grown without a pause for a while."""
        now = time.monotonic()
        for number, file in enumerate(self._files):
            if (size := file.stat().st_size) != self._sizes[number]:
                self._sizes[number], self._grown[number] = size, now
            if now - self._grown[number] > DARK_S:
                self._dark_until[number] = now
        return all(now - dark > SETTLED_S for dark in self._dark_until)


def take(system: System, deed_name: str, stream: Path, folder: Path) -> Take:
    """Put the route on air, do it, and look at what comes out."""
    deed = DEEDS[deed_name]
    files = {"SRT": folder / "srt.ts", "UDP": folder / "udp.ts"}
    stamps = {name: file.with_suffix(".stamps") for name, file in files.items()}
    out, into = (SrtUrl(port, "caller", latency_ms=LATENCY_MS) for port in (SRT_PORT, SOURCE_PORT))
    with UdpReceiver("127.0.0.1", UDP_PORT, files["UDP"], stamps=stamps["UDP"]):
        system.start()
        receiver = SrtReceiver(out, files["SRT"], reconnect=True, stamps=stamps["SRT"])
        started = time.monotonic()
        with receiver, SrtSender(stream, into, reconnect=True) as sender:
            until(lambda: all(map(_has_begun, files.values())), _PATIENCE_S, f"{system.name} to carry the stream")
            _settle(list(files.values()), BEFORE_S)
            before = len(system.media())
            if deed.before:
                deed.before(system)
                _settle(list(files.values()), AT_LEAST_S)
            began = time.monotonic_ns()
            deed.do(system)
            _settle(list(files.values()), AT_LEAST_S)
            ended, after = time.monotonic_ns(), len(system.media())
            assert not sender.all_events("sent"), "the stream was too short"
            played = folder / "sent.ts"
            played.write_bytes(_beginning(stream, time.monotonic() - started))
    seen = {name: look(file, stamps[name], played, (began, ended)) for name, file in files.items()}
    return Take("", seen, before, after)


def _beginning(stream: Path, seconds: float) -> bytes:
    """What may have been played in that time, and some more: the rest need not be looked for."""
    wanted = int((seconds + _MARGIN_S) * _AT_MOST_BYTES_PER_S)
    with stream.open("rb") as file:
        return file.read(wanted - wanted % PACKET_BYTES)


def _has_begun(file: Path) -> bool:
    return file.exists() and file.stat().st_size > _FIRST_BYTES


def _settle(files: list[Path], at_least_s: float) -> None:
    """Wait that long, and then until all flows or it has taken too long."""
    began, pauses = time.monotonic(), Pauses(files)

    def over() -> bool:
        settled = pauses.settled()
        return settled and time.monotonic() - began > at_least_s

    with suppress(AssertionError):
        until(over, AT_MOST_S)


def look(file: Path, stamps: Path, stream: Path, window: tuple[int, int]) -> Seen:
    """Judge what one destination received, from the deed to the end."""
    pairs = np.frombuffer(stamps.read_bytes(), np.uint64).astype(np.int64).reshape(-1, 2)
    began, ended = window
    times = pairs[(pairs[:, 1] <= ended), 1]
    edges = np.append(times[times > began - DARK_S * 1e9], ended)
    if len(edges) == 1:  # nothing came at all
        edges = np.array([began, ended])
    pauses = np.diff(edges) / 1e9
    dark = float(pauses[pauses > DARK_S].sum())
    data = file.read_bytes()
    last = data[_reached(pairs, ended - int(_TAIL_S * 1e9)) :]
    tail = check(last) if last else None
    return Seen(
        dark_s=round(dark, 3),
        back=bool(pauses[-1] <= DARK_S),
        pictures_lost=_pictures_lost(file, stamps, stream, began),
        missing_bytes=_missing(data[_reached(pairs, began - _LOOKS_BACK_NS) :], stream.read_bytes()),
        errors_per_s=round(tail.continuity_total / _TAIL_S, 1) if tail else 0.0,
    )


def _reached(pairs: np.ndarray, moment_ns: int) -> int:
    """How many bytes had come by then."""
    at = int(np.searchsorted(pairs[:, 1], moment_ns))
    return int(pairs[at - 1, 0]) if at else 0


def _pictures_lost(file: Path, stamps: Path, stream: Path, began: int) -> int:
    """How many of those that were due after the deed, and before the last that came, did not arrive whole."""
    unused = file.with_suffix(".none")
    np.array([[stream.stat().st_size, 0]], np.uint64).tofile(unused)
    arrived = read(file, stamps).pictures
    times = [arrived.get(content, 0) for content in read(stream, unused).order]
    there = np.flatnonzero(times)
    before = [place for place in there if times[place] < began]
    if not before:
        return -1
    return int(there[-1] - before[-1] - np.count_nonzero(there > before[-1]))


def _missing(data: bytes, sent: bytes) -> int | None:
    """Bytes between the beginning and the end of what was received that were not."""
    end = len(data) - len(data) % 1316
    first = sent.find(data[:_NEEDLE_BYTES])
    last = sent.rfind(data[end - _NEEDLE_BYTES : end])
    if first < 0 or last < 0 or end < _NEEDLE_BYTES:
        return None
    missing = last + _NEEDLE_BYTES - first - end
    return missing if missing >= 0 else None


def main() -> None:
    """Do one, and print it."""
    name, deed, stream = sys.argv[1:]
    assert is_isolated(), "this kills processes: run it through tests/harness/isolate.py"
    folder = Path(tempfile.mkdtemp(prefix="outage-"))
    try:
        found = take(SYSTEMS[name](folder / "system"), deed, Path(stream), folder)
    except AssertionError as error:
        found = Take(str(error), {}, 0, 0)
    print(json.dumps(asdict(found)))


if __name__ == "__main__":
    main()
