"""What commands do with routes: through the server while it runs; looking works without one, too."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

from srt_router.cli.desk import CommandFailed, asked
from srt_router.routes.model import Route
from srt_router.routes.store import RoutesFile
from srt_router.routes.transfer import exported
from srt_router.settings import Settings
from srt_router.supervision.installation import LiveServer, find_server

Json = dict[str, Any]

_PATIENCE_S = 60.0
"""An edit may wait for others, and for processes to die."""


class RouteDesk:
    """The routes of one installation."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._server = find_server(settings)

    def routes(self, tags: list[str], statuses: list[str]) -> list[Json]:
        """Routes as `GET /api/routes` has them; without a server those of the file, all of them stopped."""
        if self._server:
            query = urlencode([("tag", one) for one in tags] + [("status", one) for one in statuses])
            return list(asked(self._server, f"/api/routes?{query}", patience_s=_PATIENCE_S)["items"])
        found = [route for route in self._configured() if set(tags) <= set(route.tags)]
        return [_at_rest(route) for route in found] if not statuses or "stopped" in statuses else []

    def route(self, name: str) -> Json:
        """One route, by id or name, as `GET /api/routes/{id}` has it."""
        return asked(self._live(), f"/api/routes/{quote(self.route_id(name), safe='')}", patience_s=_PATIENCE_S)

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

    def change(self, method: str, route_id: str, body: object, *, dry_run: bool = False) -> Json:
        """Make, change or remove a route."""
        path = f"/api/routes/{quote(route_id, safe='')}" if route_id else "/api/routes"
        return asked(self._live(), path + ("?dryRun=true" if dry_run else ""), method, body, _PATIENCE_S)

    def salvo(self, steps: list[Json]) -> Json:
        """Several steps at once."""
        return asked(self._live(), "/api/routes/salvo", "POST", {"steps": steps}, _PATIENCE_S)

    def take_over(self, document: object, *, replace: bool, dry_run: bool = False) -> Json:
        """Import a document."""
        query = urlencode({"mode": "replace" if replace else "merge", "dryRun": str(dry_run).lower()})
        return asked(self._live(), f"/api/routes/import?{query}", "POST", document, _PATIENCE_S)

    def export(self, names: list[str], *, secrets: bool) -> Json:
        """A document with these routes; all of them unless some are named."""
        ids = [self.route_id(name) for name in names]
        if self._server:
            query = urlencode([("secrets", str(secrets).lower()), *(("route", one) for one in ids)])
            return asked(self._server, f"/api/routes/export?{query}", patience_s=_PATIENCE_S)
        known = {route.id: route for route in self._configured()}
        for one in ids:
            if one not in known:
                raise CommandFailed(f"there is no route {one}")
        return exported([known[one] for one in ids or known], secrets=secrets)

    def _live(self) -> LiveServer:
        if self._server is None:
            path = RoutesFile(self._settings.data_dir).path
            raise CommandFailed(f"no server runs for {self._settings.data_dir}: start it, or edit {path} by hand")
        return self._server

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
