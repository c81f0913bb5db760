"""When errors of a stream begin and when they end: told once each, not once per packet. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from srt_router.supervision.event import OFTEN, RouteEvent

QUIET_S = 10.0
"""Errors have ended when none was seen for so long."""

_NAMES = {
    "syncLoss": "sync is lost",
    "syncByteError": "wrong sync bytes",
    "patError": "the PAT is missing or wrong",
    "continuityCountError": "packets are missing or in the wrong order",
    "pmtError": "a program map is missing or wrong",
    "pidError": "sound or picture that the program map names does not come",
}


@dataclass(frozen=True, slots=True)
class StreamErrorsBegan(RouteEvent):
    """The stream on a bus of the route has errors of a kind that it had not before."""

    kind: ClassVar[str] = "streamErrorsBegan"
    often: ClassVar[int | None] = OFTEN
    leg: str
    """`source`: as it came in; `transcode`: as it goes out."""
    error: str
    """The indicator of TR 101 290: `continuityCountError` …"""

    def _say(self) -> str:
        return f"Route {self.route_id}: errors in the stream ({self.leg}): {_NAMES[self.error]}"

    def _same(self) -> tuple[object, ...]:
        return (self.leg, self.error)


@dataclass(frozen=True, slots=True)
class StreamErrorsEnded(RouteEvent):
    """Errors of one kind have not been seen any more for ten seconds."""

    kind: ClassVar[str] = "streamErrorsEnded"
    often: ClassVar[int | None] = OFTEN
    leg: str
    error: str
    count: int
    """So many were counted from the first to the last."""
    lasted_s: float
    """From the first to the last."""

    def _say(self) -> str:
        return f"Route {self.route_id}: no more errors in the stream ({self.leg}): {self.count} x {self.error}"

    def _same(self) -> tuple[object, ...]:
        return (self.leg, self.error)


StreamErrorEvent = StreamErrorsBegan | StreamErrorsEnded
STREAM_KINDS = (StreamErrorsBegan, StreamErrorsEnded)


@dataclass(slots=True)
class _Episode:
    began: float
    last: float
    before: int
    """The count before the first of them."""


@dataclass(slots=True)
class ErrorEpisodes:
    """The errors of one bus."""

    route_id: str
    leg: str
    _episodes: dict[str, _Episode] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)

    @property
    def active(self) -> frozenset[str]:
        """The kinds that have begun and not ended."""
        return frozenset(self._episodes)

    def look(
        self, seen: Mapping[str, tuple[int, bool]], now: float, quiet_s: float = QUIET_S
    ) -> list[StreamErrorEvent]:
        """What is to be told; `seen` has count and presence of each kind."""
        told: list[StreamErrorEvent] = []
        for kind, (count, present) in seen.items():
            before = self._counts.get(kind, 0)
            self._counts[kind] = count
            episode = self._episodes.get(kind)
            if present or count > before:
                if episode is None:
                    self._episodes[kind] = _Episode(now, now, before)
                    told.append(StreamErrorsBegan(self.route_id, self.leg, kind))
                else:
                    episode.last = now
            elif episode is not None and now - episode.last >= quiet_s:
                told.append(self._end(kind, episode))
        return told

    def close(self) -> list[StreamErrorEvent]:
        """The bus is gone, and its errors with it."""
        return [self._end(kind, episode) for kind, episode in list(self._episodes.items())]

    def _end(self, kind: str, episode: _Episode) -> StreamErrorsEnded:
        del self._episodes[kind]
        count = self._counts.get(kind, 0) - episode.before
        return StreamErrorsEnded(self.route_id, self.leg, kind, count, round(episode.last - episode.began, 1))
