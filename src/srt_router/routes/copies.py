"""Ports that are free, and a copy of a route that can run beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

from srt_router.errors import SrtRouterError
from srt_router.routes.addresses import BUS_PORTS
from srt_router.routes.conflicts import listening_ports
from srt_router.routes.merging import Json, created, merge_patch
from srt_router.routes.model import Route, UdpDestination, UdpSource
from srt_router.routes.transcode_presets import PRESETS, Preset

LOWEST, HIGHEST = 1024, 65535


class NoPortLeft(SrtRouterError):  # noqa: N818 - said as it is
    """So many ports are taken that none is left to suggest."""

    code = "noPortLeft"


def used_ports(routes: Iterable[Route]) -> set[int]:
    """Return every port that a route binds or sends UDP to, on whatever address, on air or not."""
    found: set[int] = set()
    for route in routes:
        found |= {port.port for port in listening_ports(route, include_disabled=True)}
        found |= {end.port for end in route.destinations if isinstance(end, UdpDestination)}
        if isinstance(route.source, UdpSource):
            found.add(route.source.port)
    return found


def free_ports(count: int, first: int, taken: Iterable[int]) -> list[int]:
    """Return ports from `first` upwards, then from the lowest, that are neither taken nor the buses'.

    Raises NoPortLeft.
    """
    unfit = {*taken, *BUS_PORTS}
    found = [port for port in (*range(first, HIGHEST + 1), *range(LOWEST, first)) if port not in unfit][:count]
    if len(found) < count:
        raise NoPortLeft(f"only {len(found)} ports are free: remove routes that are not needed")
    return found


def copied(
    stored: Route, route_id: str, changes: Json, taken: Iterable[int], presets: Sequence[Preset] = PRESETS
) -> Route:
    """Return a copy of a route with ports of its own; it does not start by itself.

    `changes` is a merge patch for the copy, which wins. Raises RouteInvalid, NoPortLeft.
    """
    data: Json = stored.to_json()
    del data["id"]
    data["name"] = f"{stored.name[:90]} (copy)"
    data["autoStart"] = False
    used = {*taken, *used_ports([stored])}
    for end, key in _own_ports(stored, data):
        end[key] = free_ports(1, min(end[key] + 1, HIGHEST), used)[0]
        used.add(end[key])
    for end in data["destinations"]:
        end.pop("id", None)
    return created(cast("Json", merge_patch(data, changes)), route_id, presets)


def _own_ports(stored: Route, data: Json) -> Iterable[tuple[Json, str]]:
    """The fields that two routes cannot share: what is bound, and where UDP goes."""
    for port in listening_ports(stored, include_disabled=True):
        end = data["source"] if port.location[0] == "source" else data["destinations"][port.location[1]]
        yield end, str(port.location[-1])
    for index, end in enumerate(stored.destinations):
        if isinstance(end, UdpDestination):
            yield data["destinations"][index], "port"
