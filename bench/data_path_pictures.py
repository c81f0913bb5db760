"""Which pictures of a transport stream arrived whole, and when: also where the stream was written anew on its way."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from tests.media.transport_stream import NULL_PID, PACKET_BYTES

_PES_HEADER = 9
_SYNC = 0x47
_Numbers = np.ndarray[tuple[int], np.dtype[np.int64]]


@dataclass(frozen=True)
class Stream:
    """The pictures of one stream, by what is in them."""

    pictures: dict[int, int]
    """Content of a picture (its hash) and when its last byte passed, in monotonic nanoseconds; in order."""

    @property
    def order(self) -> list[int]:
        """The contents in the order in which they passed."""
        return list(self.pictures)


def read(file: Path, stamps: Path) -> Stream:
    """A stream as it was sent or received, with the stamps that the tool wrote.

    The last picture is left out: its end is not known.
    """
    data = np.frombuffer(file.read_bytes(), np.uint8)
    pairs = np.frombuffer(stamps.read_bytes(), np.uint64).astype(np.int64).reshape(-1, 2)
    packets = data[: len(data) - len(data) % PACKET_BYTES].reshape(-1, PACKET_BYTES)
    if not len(packets):
        return Stream({})
    assert (packets[:, 0] == _SYNC).all(), f"{file.name}: not every 188th byte begins a packet"
    return Stream(_pictures(packets, pairs[:, 0], pairs[:, 1]))


def _pictures(packets: np.ndarray, totals: _Numbers, times_ns: _Numbers) -> dict[int, int]:
    pids = (packets[:, 1] & 0x1F).astype(np.int64) << 8 | packets[:, 2]
    video = np.bincount(pids[pids != NULL_PID]).argmax()
    rows = np.flatnonzero((pids == video) & (packets[:, 3] & 0x10 > 0))
    chosen = packets[rows]
    begins = 4 + np.where(chosen[:, 3] & 0x20, 1 + chosen[:, 4].astype(np.int64), 0)
    payload = chosen[np.arange(PACKET_BYTES) >= begins[:, None]].tobytes()
    ends = np.cumsum(np.maximum(PACKET_BYTES - begins, 0))
    starts = np.flatnonzero(chosen[:, 1] & 0x40)
    found = {}
    for first, following in pairwise(starts):
        picture = payload[ends[first - 1] if first else 0 : ends[following - 1]]
        content = picture[_PES_HEADER + picture[_PES_HEADER - 1] :]
        at = np.searchsorted(totals, (rows[following - 1] + 1) * PACKET_BYTES)
        found[hash(content)] = int(times_ns[min(at, len(times_ns) - 1)])
    return found


@dataclass(frozen=True)
class Arrival:
    """What became of the pictures sent."""

    sent: int
    """From the first that arrived whole to the last that is judged."""
    lost: int
    """Of them, how many did not arrive, or not whole."""
    took_ms: list[float]
    """Of those that arrived: from the last byte sent to the last byte received."""


def arrival(sent: Stream, received: Stream, *, judged: float = 1.0, settled_s: float = 0.0) -> Arrival:
    """Look for every picture sent among those received.

    `judged`: this share of the stream, from its beginning. `settled_s`: how long a picture took is of interest only
    when it was sent so long after the first.
    """
    contents = sent.order[: int(len(sent.order) * judged)]
    there = [content in received.pictures for content in contents]
    if not any(there):
        return Arrival(0, 0, [])
    first = there.index(True)
    since_ns = sent.pictures[contents[0]] + settled_s * 1e9
    took = [
        (received.pictures[content] - sent.pictures[content]) / 1e6
        for content, whole in zip(contents, there, strict=True)
        if whole and sent.pictures[content] >= since_ns
    ]
    return Arrival(len(contents) - first, there[first:].count(False), took)
