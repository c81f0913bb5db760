"""The errors a user may meet. Each has a stable code, says what happened and what to do next."""

from __future__ import annotations


class SrtRouterError(Exception):
    """Something a user must know about. `str(error)` is the whole message."""

    code = "error"


class SettingsError(SrtRouterError):
    """A setting is unknown or has a bad value."""

    code = "settingsInvalid"


class UnsafeDirectory(SrtRouterError):  # noqa: N818 - said as it is
    """A directory that must be ours alone is not."""

    code = "unsafeDirectory"


class AlreadyRunning(SrtRouterError):  # noqa: N818 - said as it is
    """Another server holds the lock on a directory."""

    code = "alreadyRunning"


class SpawnFailed(SrtRouterError):  # noqa: N818 - said as it is
    """A process could not be started at all: no such program, no memory, too many processes."""

    code = "spawnFailed"


class RouteNotFound(SrtRouterError):  # noqa: N818 - said as it is
    """No route has this id."""

    code = "routeNotFound"


class DestinationNotFound(SrtRouterError):  # noqa: N818 - said as it is
    """The route has no such destination."""

    code = "destinationNotFound"


class PreconditionFailed(SrtRouterError):  # noqa: N818 - said as it is
    """Somebody else has changed it since it was read: nothing was changed."""

    code = "preconditionFailed"

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} was changed since you read it: read it again, and change what it is now")


class StartRefused(SrtRouterError):  # noqa: N818 - said as it is
    """A check before the start failed: a port is taken, a program is missing, a route collides."""

    code = "startRefused"

    def __init__(self, route_id: str, reasons: list[str]) -> None:
        super().__init__(f"Route {route_id} cannot start: " + "; ".join(reasons))
        self.route_id = route_id
        self.reasons = reasons


class StopFailed(SrtRouterError):  # noqa: N818 - said as it is
    """A process of a route outlived even SIGKILL, or may not be signalled."""

    code = "stopFailed"


class PortTaken(SrtRouterError):  # noqa: N818 - said as it is
    """The server's own TCP port cannot be had."""

    code = "portTaken"
