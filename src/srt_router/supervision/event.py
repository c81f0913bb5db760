"""What every event has; the kinds themselves are in events.py."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar

from pydantic.alias_generators import to_camel

OFTEN = 5
"""What may go on for hours is told so often, and then counted."""


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """Something that happened. Each kind is a class of its own."""

    kind: ClassVar[str] = ""
    """Its name for users."""
    often: ClassVar[int | None] = None

    @property
    def message(self) -> str:
        """What happened, in a sentence."""
        return self._say()

    @property
    def route(self) -> str | None:
        """The route it happened to."""
        return None

    @property
    def process(self) -> str | None:
        """The type of the process it happened to."""
        return None

    @property
    def actor(self) -> str | None:
        """Who did it; None: nobody, or nobody who is known."""
        return None

    @property
    def identity(self) -> tuple[object, ...]:
        """Two events of one kind and process with the same identity tell the same."""
        return self._same()

    @property
    def freely(self) -> int | None:
        """So many of the same identity are told within one period, others are counted; None: each is told."""
        return self.often

    def data(self) -> dict[str, object]:
        """The payload."""
        kind = type(self)
        names = _NAMES.get(kind)
        if names is None:
            names = _NAMES[kind] = [(to_camel(field.name), field.name) for field in fields(self)]
        return {name: getattr(self, attribute) for name, attribute in names}

    def _say(self) -> str:
        raise NotImplementedError

    def _same(self) -> tuple[object, ...]:
        return ()


_NAMES: dict[type, list[tuple[str, str]]] = {}
"""The fields of each kind: as users know them, and as Python does."""


@dataclass(frozen=True, slots=True)
class RouteEvent(ServerEvent):
    """Something that happened to a route."""

    route_id: str

    @property
    def route(self) -> str | None:
        """The route it happened to."""
        return self.route_id


@dataclass(frozen=True, slots=True)
class ProcessEvent(RouteEvent):
    """Something that happened to a process of a route."""

    often: ClassVar[int | None] = OFTEN

    process_type: str

    @property
    def process(self) -> str | None:
        """The type of the process it happened to."""
        return self.process_type
