"""Routes on their way from a foreign file to a document: each part still knows where it came from."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from srt_router.migration.findings import FileRefused, Finding, Place
from srt_router.routes.document import VERSION
from srt_router.routes.errors import MOST_ERRORS, FieldError, Location, RouteInvalid, field_path
from srt_router.routes.merging import Json
from srt_router.routes.parsing import parse_route_input
from srt_router.routes.transfer import ImportMode, imported

LAST_PORT = 65535


@dataclass(slots=True)
class Draft:
    """A route without an id."""

    place: Place
    name: str
    source: Json
    destinations: list[Json] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    description: str | None = None
    places: dict[Location, Place] = field(default_factory=dict)
    """Where parts of it stand: `("destinations", 0)`, `("source", "passphrase")`."""

    def route(self, *, auto_start: bool) -> Json:
        """As it stands in routes.json."""
        found: Json = {"name": self.name, "autoStart": auto_start, "source": self.source}
        found["destinations"] = self.destinations
        if self.tags:
            found["tags"] = self.tags
        if self.description:
            found["description"] = self.description
        return found

    def finding(self, error: FieldError) -> Finding:
        """The same error, told by its place in the foreign file."""
        for length in range(len(error.location), 0, -1):
            if place := self.places.get(error.location[:length]):
                return Finding(place.under(field_path(error.location[length:])), error.message)
        return Finding(self.place.under(field_path(error.location)), error.message)


@dataclass(frozen=True, slots=True)
class Read:
    """What a reader of a format found."""

    drafts: Sequence[Draft]
    remarks: Sequence[Finding]


class Ports:
    """Free ports, one after another."""

    def __init__(self, first: int, taken: Collection[int]) -> None:
        self._next = first
        self._taken = frozenset(taken)

    def next(self, place: Place) -> int:
        """A port that nobody has. Raises FileRefused where none is left."""
        while self._next in self._taken:
            self._next += 1
        if self._next > LAST_PORT:
            raise FileRefused([Finding(place, "no free port is left: choose a lower --first-port")])
        self._next += 1
        return self._next - 1


def listening_port(end: Json) -> int | None:
    """The port of this machine that a source or an SRT destination holds."""
    if end.get("type") == "srt" and end.get("mode") != "listener":
        return None
    port = end.get("port")
    return port if isinstance(port, int) else None


def document_of(drafts: Sequence[Draft], *, auto_start: bool) -> Json:
    """A document in the shape of routes.json. Raises FileRefused with everything that is wrong."""
    routes = [draft.route(auto_start=auto_start) for draft in drafts]
    document: Json = {"version": VERSION, "routes": routes}
    errors: list[Finding] = []
    for draft, route in zip(drafts, routes, strict=True):
        try:
            parse_route_input(route)
        except RouteInvalid as error:
            errors += [draft.finding(one) for one in error.errors]
        if len(errors) >= MOST_ERRORS:
            break
    if errors:
        raise FileRefused(errors)
    try:
        imported(document, (), ImportMode.REPLACE)  # do they collide with each other?
    except RouteInvalid as error:
        raise FileRefused(_collisions(error, drafts)) from None
    return document


def _collisions(error: RouteInvalid, drafts: Sequence[Draft]) -> list[Finding]:
    found: list[Finding] = []
    for one in error.errors:
        match one.location:
            case ("routes", int(index), *rest):
                found.append(drafts[index].finding(FieldError(tuple(rest), one.message)))
            case _:
                found.append(Finding(Place(1), one.message))
    return found
