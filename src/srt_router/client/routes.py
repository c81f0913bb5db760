"""Routes and their destinations."""

from __future__ import annotations

from builtins import list as List  # noqa: N812 - `list` is what the methods are called
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import quote

from srt_router.client import answers
from srt_router.client.connection import Connection
from srt_router.client.errors import ApiProblem

Json = dict[str, Any]
Body = Mapping[str, object]
T = TypeVar("T")

_CHANGED = 412
_TRIES = 10


@dataclass(frozen=True, slots=True)
class Tagged(Generic[T]):
    """What was read, and the ETag by which a change of just this can be made: `if_match`."""

    value: T
    etag: str


class Routes:
    """`/api/routes`. Every method raises ApiProblem and NoAnswer.

    With `if_match` a change is made only if the configuration is still the one with that ETag (else 412).
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # Look

    def list(
        self, *, tag: List[str] | None = None, status: List[str] | None = None, q: str | None = None
    ) -> List[answers.RouteView]:
        """Every route with all of these tags, any of these statuses, and `q` somewhere in name, tags, hosts, ports."""
        found: answers.RouteList = self._connection.get("/api/routes", {"tag": tag, "status": status, "q": q})
        return found["items"]

    def get(self, route_id: str) -> answers.RouteDetail:
        """One route: as it is now, and its `config`."""
        return self.get_tagged(route_id).value

    def get_tagged(self, route_id: str) -> Tagged[answers.RouteDetail]:
        """One route with the ETag of its configuration."""
        answer = self._connection.read(_path(route_id))
        return Tagged(answer.json(), answer.headers["etag"])

    def tags(self) -> List[answers.TagCount]:
        """Every tag that a route has."""
        found: answers.TagList = self._connection.get("/api/tags")
        return found["items"]

    def secrets(self, route_id: str) -> List[answers.EndSecrets]:
        """Passphrases in the clear, for operators; that they were read is kept in the history."""
        found: answers.Secrets = self._connection.get(f"{_path(route_id)}/secrets")
        return found["items"]

    # Change

    def create(self, route: Body) -> answers.RouteEdited:
        """Make a route: an object as in routes.json, without `id`. On disk when it returns."""
        done: answers.RouteEdited = self._connection.change("POST", "/api/routes", route)
        return done

    def replace(self, route_id: str, route: Body, *, if_match: str | None = None) -> answers.RouteEdited:
        """Put another configuration in the place of the whole one; hidden passphrases stay what they were."""
        done: answers.RouteEdited = self._connection.change("PUT", _path(route_id), route, if_match=if_match)
        return done

    def patch(self, route_id: str, patch: Body, *, if_match: str | None = None) -> answers.RouteEdited:
        """Change what is named (a merge patch, RFC 7396): what is not named stays, None takes one away."""
        done: answers.RouteEdited = self._connection.change("PATCH", _path(route_id), patch, if_match=if_match)
        return done

    def edit(self, route_id: str, change: Callable[[Json], object]) -> answers.RouteEdited:
        """Read the configuration, let `change` alter it, and write it back; once more if somebody was faster.

        So no change of a colleague is overwritten. `change` may be called several times, each time with the newest.
        """
        for tries_left in reversed(range(_TRIES)):
            found = self.get_tagged(route_id)
            config = found.value["config"]
            change(config)
            try:
                return self.replace(route_id, config, if_match=found.etag)
            except ApiProblem as problem:
                if problem.status != _CHANGED or not tries_left:
                    raise
        raise AssertionError("unreachable")

    def delete(self, route_id: str, *, if_match: str | None = None) -> None:
        """Take it off air and remove it."""
        self._connection.change("DELETE", _path(route_id), if_match=if_match)

    def duplicate(self, route_id: str, changes: Body | None = None) -> answers.RouteEdited:
        """Make a copy with free ports; `changes` as in `patch`."""
        path = f"{_path(route_id)}/duplicate"
        done: answers.RouteEdited = self._connection.change("POST", path, changes or {})
        return done

    def dry_run(
        self,
        method: Literal["POST", "PUT", "PATCH", "DELETE"],
        body: Body | None = None,
        *,
        route_id: str = "",
        if_match: str | None = None,
    ) -> answers.DryRunAnswer:
        """What making (no `route_id`), replacing, patching or deleting would do to what is on air. Nothing is done."""
        path = _path(route_id) if route_id else "/api/routes"
        query = {"dryRun": True}
        found: answers.DryRunAnswer = self._connection.change(method, path, body, query=query, if_match=if_match)
        return found

    # Orders

    def start(self, route_id: str) -> answers.RouteView:
        """Put it on air; nothing where it is."""
        return self._order(route_id, "start")

    def stop(self, route_id: str) -> answers.RouteView:
        """Take it off air; when it returns, every process of it has ended."""
        return self._order(route_id, "stop")

    def restart(self, route_id: str) -> answers.RouteView:
        """Stop and start."""
        return self._order(route_id, "restart")

    def _order(self, route_id: str, order: str) -> answers.RouteView:
        done: answers.RouteView = self._connection.change("POST", f"{_path(route_id)}/{order}")
        return done

    def apply(self, route_id: str, process: str | None = None) -> List[str]:
        """Begin to do the restarts that wait since an upgrade, of one process or of all; their types, in this order."""
        done: answers.Applied = self._connection.change("POST", f"{_path(route_id)}/apply", {"process": process})
        return done["items"]

    # Many at once

    def salvo(self, steps: List[Json], *, dry_run: bool = False) -> answers.ManyEdited:
        """Several edits and orders, checked wholly before anything happens, and taken back if a step is refused."""
        body = {"steps": steps}
        done: answers.ManyEdited = self._connection.change("POST", "/api/routes/salvo", body, query={"dryRun": dry_run})
        return done

    def export(self, route_ids: List[str] | None = None, *, secrets: bool = False) -> Json:
        """These routes, or all, as a document in the shape of routes.json. `secrets`: with passphrases in the clear."""
        found: Json = self._connection.get("/api/routes/export", {"route": route_ids, "secrets": secrets})
        return found

    def import_(
        self, document: object, *, mode: Literal["merge", "replace"] = "merge", dry_run: bool = False
    ) -> answers.ManyEdited:
        """Take a document over, whole or not at all. `merge`: other routes stay; `replace`: they are removed."""
        query = {"mode": mode, "dryRun": dry_run}
        done: answers.ManyEdited = self._connection.change("POST", "/api/routes/import", document, query=query)
        return done

    # Numbers

    def statistics(self, route_id: str) -> answers.RouteStatistics:
        """The numbers of a route now."""
        found: answers.RouteStatistics = self._connection.get(f"{_path(route_id)}/stats")
        return found

    def reset_statistics(self, route_id: str) -> answers.RouteStatistics:
        """Count anew."""
        done: answers.RouteStatistics = self._connection.change("POST", f"{_path(route_id)}/stats/reset")
        return done

    def history(  # noqa: PLR0913 - one parameter for each choice
        self,
        route_id: str,
        *,
        leg: str | None = None,
        metrics: List[str] | None = None,
        since: int | None = None,
        until: int | None = None,
        resolution: Literal["auto", "1", "10", "60", "600", "3600"] | None = None,
    ) -> answers.History:
        """The numbers of one leg (`source`, `destination:0`) over time.

        `since` and `until`: milliseconds since the epoch. `resolution`: seconds of a slot.
        """
        query = {
            "leg": leg,
            "metrics": ",".join(metrics) if metrics else None,
            "from": since,
            "to": until,
            "resolution": resolution,
        }
        found: answers.History = self._connection.get(f"{_path(route_id)}/history", query)
        return found

    def thumbnail(self, route_id: str) -> bytes:
        """The newest picture of its stream, a JPEG."""
        return self._connection.read(f"{_path(route_id)}/thumbnail").content

    def thumbnails(self, route_ids: List[str]) -> List[answers.ThumbnailItem]:
        """Which of these routes have a picture now, and how old it is."""
        found: answers.ThumbnailList = self._connection.get("/api/thumbnails", {"route": route_ids})
        return found["items"]

    def stream(self, route_id: str) -> answers.StreamList:
        """What is inside its stream."""
        found: answers.StreamList = self._connection.get(f"{_path(route_id)}/stream")
        return found


class Destinations:
    """`/api/routes/{id}/destinations`. `key` is the id of a destination, or its position counted from 0."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self, route_id: str) -> List[answers.DestinationDetail]:
        """Every destination of a route."""
        found: answers.DestinationList = self._connection.get(f"{_path(route_id)}/destinations")
        return found["items"]

    def get(self, route_id: str, key: str | int) -> answers.DestinationDetail:
        """One destination."""
        return self.get_tagged(route_id, key).value

    def get_tagged(self, route_id: str, key: str | int) -> Tagged[answers.DestinationDetail]:
        """One destination with the ETag of its configuration."""
        answer = self._connection.read(_path(route_id, key))
        return Tagged(answer.json(), answer.headers["etag"])

    def add(self, route_id: str, destination: Body) -> answers.DestinationEdited:
        """Add one; the others stay on air, untouched."""
        path = f"{_path(route_id)}/destinations"
        done: answers.DestinationEdited = self._connection.change("POST", path, destination)
        return done

    def replace(
        self, route_id: str, key: str | int, destination: Body, *, if_match: str | None = None
    ) -> answers.DestinationEdited:
        """Put another in its place."""
        return self._edit("PUT", _path(route_id, key), destination, if_match)

    def patch(
        self, route_id: str, key: str | int, patch: Body, *, if_match: str | None = None
    ) -> answers.DestinationEdited:
        """Change what is named."""
        return self._edit("PATCH", _path(route_id, key), patch, if_match)

    def delete(self, route_id: str, key: str | int, *, if_match: str | None = None) -> None:
        """Remove it."""
        self._connection.change("DELETE", _path(route_id, key), if_match=if_match)

    def start(self, route_id: str, key: str | int, *, if_match: str | None = None) -> answers.DestinationEdited:
        """Enable it."""
        return self._edit("POST", f"{_path(route_id, key)}/start", None, if_match)

    def stop(self, route_id: str, key: str | int, *, if_match: str | None = None) -> answers.DestinationEdited:
        """Disable it."""
        return self._edit("POST", f"{_path(route_id, key)}/stop", None, if_match)

    def _edit(self, method: str, path: str, body: Body | None, if_match: str | None) -> answers.DestinationEdited:
        done: answers.DestinationEdited = self._connection.change(method, path, body, if_match=if_match)
        return done


def _path(route_id: str, key: str | int | None = None) -> str:
    path = f"/api/routes/{quote(route_id, safe='')}"
    return path if key is None else f"{path}/destinations/{quote(str(key), safe='')}"
