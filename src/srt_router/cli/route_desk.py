"""What commands do with routes: through the server while it runs; looking works without one, too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from srt_router.cli.desk import CommandFailed, connected
from srt_router.routes.model import Route
from srt_router.routes.store import RoutesFile
from srt_router.routes.transfer import exported
from srt_router.settings import Settings
from srt_router.supervision.installation import find_server

if TYPE_CHECKING:
    from srt_router.client import Client, Tagged
    from srt_router.client.answers import RouteDetail

Json = dict[str, Any]


class RouteDesk:
    """The routes of one installation."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._server = find_server(settings)

    def routes(self, tags: list[str], statuses: list[str]) -> list[Json]:
        """Routes as `GET /api/routes` has them; without a server those of the file, all of them stopped."""
        if self._server:
            return [{**one} for one in connected(self._server).routes.list(tag=tags, status=statuses)]
        found = [route for route in self._configured() if set(tags) <= set(route.tags)]
        return [_at_rest(route) for route in found] if not statuses or "stopped" in statuses else []

    def route(self, name: str) -> Json:
        """One route, by id or name, as `GET /api/routes/{id}` has it."""
        return {**self._live().routes.get(self.route_id(name))}

    def tagged(self, name: str) -> Tagged[RouteDetail]:
        """One route, and the ETag by which a change is made only of what was seen."""
        return self._live().routes.get_tagged(self.route_id(name))

    def route_id(self, name: str) -> str:
        """The id of the route that is called so. Raises CommandFailed where there is none, or more than one."""
        if name.startswith("route_") and name[6:].isdigit():
            return name
        found = [one["id"] for one in self.routes([], []) if one["name"] == name]
        if len(found) > 1:
            raise CommandFailed(f"{len(found)} routes are called {name!r}: say which one by its id: {', '.join(found)}")
        if not found:
            raise CommandFailed(f"there is no route {name!r}: srt-router routes list")
        return str(found[0])

    def change(
        self,
        method: Literal["POST", "PUT", "PATCH", "DELETE"],
        route_id: str,
        body: Any,
        *,
        dry_run: bool = False,
        if_match: str | None = None,
    ) -> Json:
        """Make, replace, change or remove a route; what is answered."""
        routes = self._live().routes
        if dry_run:
            return {**routes.dry_run(method, body, route_id=route_id, if_match=if_match)}
        match method:
            case "POST":
                return {**routes.create(body)}
            case "PUT":
                return {**routes.replace(route_id, body, if_match=if_match)}
            case "PATCH":
                return {**routes.patch(route_id, body)}
        routes.delete(route_id)
        return {}

    def salvo(self, steps: list[Json]) -> Json:
        """Several steps at once."""
        return {**self._live().routes.salvo(steps)}

    def take_over(self, document: object, *, replace: bool, dry_run: bool = False) -> Json:
        """Import a document."""
        mode: Literal["merge", "replace"] = "replace" if replace else "merge"
        return {**self._live().routes.import_(document, mode=mode, dry_run=dry_run)}

    def apply(self, route_id: str, process_type: str | None) -> list[str]:
        """Begin to do the restarts that wait since an upgrade; which, in this order."""
        return self._live().routes.apply(route_id, process_type)

    def restarts(self, route_id: str, since_ms: int) -> list[Json]:
        """The events that tell how these restarts went, oldest first."""
        kinds = ["pendingRestartApplied", "pendingRestartFailed"]
        found = self._live().machine.events(route=route_id, kind=kinds, since=since_ms)
        return [{**one} for one in reversed(list(found))]

    def export(self, names: list[str], *, secrets: bool) -> Json:
        """A document with these routes; all of them unless some are named."""
        ids = [self.route_id(name) for name in names]
        if self._server:
            return connected(self._server).routes.export(ids or None, secrets=secrets)
        known = {route.id: route for route in self._configured()}
        for one in ids:
            if one not in known:
                raise CommandFailed(f"there is no route {one}")
        return exported([known[one] for one in ids or known], secrets=secrets)

    def _live(self) -> Client:
        if self._server is None:
            path = RoutesFile(self._settings.data_dir).path
            raise CommandFailed(f"no server runs for {self._settings.data_dir}: start it, or edit {path} by hand")
        return connected(self._server)

    def _configured(self) -> list[Route]:
        file = RoutesFile(self._settings.data_dir)
        try:
            parsed = file.load()
        except OSError as error:
            raise CommandFailed(f"{file.path} cannot be read: {error.strerror}") from error
        if parsed.errors:
            raise CommandFailed("\n".join(f"{file.path}: {error}" for error in parsed.errors))
        return list(parsed.routes)


def _at_rest(route: Route) -> Json:
    """What can be said of a route while no server runs."""
    config: Json = route.to_json(hide_secrets=True)
    return {
        "id": route.id,
        "name": route.name,
        "status": "stopped",
        "autoStart": route.auto_start,
        "tags": list(route.tags),
        "source": {"endpoint": config["source"]},
        "destinations": [{"endpoint": end} for end in config["destinations"]],
    }
