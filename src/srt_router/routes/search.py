"""Which routes somebody looks for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from srt_router.routes.model import Route


@dataclass(frozen=True, slots=True)
class Search:
    """What a route must have; what is not given does not choose."""

    tags: tuple[str, ...] = ()
    """All of them."""
    text: str = ""
    """Stands somewhere in what a route is called, or where it comes from and goes to; small letters or capitals."""

    def finds(self, route: Route) -> bool:
        """Tell whether a route is one that is looked for."""
        if not self.tags and not self.text:
            return True
        if not set(self.tags) <= set(route.tags):
            return False
        return not self.text or self.text.casefold() in _words(route)


def _words(route: Route) -> str:
    words = [route.id, route.name, route.description or "", *route.tags]
    for end in (route.source, *route.destinations):
        words += [
            getattr(end, "name", None) or "",
            end.host or "",
            str(end.port),
            getattr(end, "stream_id", None) or "",
        ]
    return "\n".join(words).casefold()


def tag_counts(routes: Iterable[Route]) -> dict[str, int]:
    """Return how many routes have each tag, by tag."""
    counts = Counter(tag for route in routes for tag in set(route.tags))
    return dict(sorted(counts.items()))


def page(routes: Sequence[Route], after: str | None, limit: int | None) -> tuple[Sequence[Route], str | None]:
    """Return one page of a list and the cursor of the next one, None at the end.

    A cursor names the last route of a page and its position, which counts if that route is gone by then.
    """
    start = 0
    if after is not None:
        position, _, route_id = after.partition(".")
        found = next((index for index, route in enumerate(routes) if route.id == route_id), None)
        start = min(int(position), len(routes)) if found is None else found + 1
    shown = routes[start:] if limit is None else routes[start : start + limit]
    end = start + len(shown)
    return shown, f"{end}.{shown[-1].id}" if shown and end < len(routes) else None
