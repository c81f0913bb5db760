"""What happens to routes and processes, as facts for subscribers: log, event history, WebSocket, alarms.

Every kind is one dataclass; its fields, in camelCase, are the payload that users see
(docs/reference/events.md has them all, and a test compares). `message` is the same in a sentence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from srt_router.supervision.alarm_events import ALARM_KINDS
from srt_router.supervision.backup_events import BACKUP_KINDS
from srt_router.supervision.event import OFTEN, ProcessEvent, RouteEvent, ServerEvent
from srt_router.supervision.health_events import HEALTH_KINDS
from srt_router.supervision.restart import Outcome
from srt_router.supervision.route_state import RouteStatus
from srt_router.supervision.stream_errors import STREAM_KINDS
from srt_router.supervision.upgrade_events import UPGRADE_KINDS

# The server


@dataclass(frozen=True, slots=True)
class ServerStarted(ServerEvent):
    """The server has taken its directories and is about to start its routes."""

    kind: ClassVar[str] = "serverStarted"
    version: str
    routes: int
    """How many routes are configured."""
    replaced: str | None = None
    """The version that it follows in its process, without a stop; None: it was started."""

    def _say(self) -> str:
        if self.replaced is not None:
            return f"SRT Router {self.version} goes on with {self.routes} route(s) after {self.replaced}"
        return f"SRT Router {self.version} started with {self.routes} route(s)"


@dataclass(frozen=True, slots=True)
class ServerStopping(ServerEvent):
    """The server was asked to stop and takes every route off air, or leaves them on air for the next one."""

    kind: ClassVar[str] = "serverStopping"
    stays_on_air: bool = False
    """Every process stays as it is."""

    def _say(self) -> str:
        if self.stays_on_air:
            return "SRT Router ends and leaves every route on air for the next server"
        return "SRT Router stops and takes every route off air"


@dataclass(frozen=True, slots=True)
class OrphansCleanedUp(ServerEvent):
    """A cleanup has ended. One that found nothing is told at the start of the server only."""

    kind: ClassVar[str] = "orphansCleanedUp"
    killed: list[int]
    """PIDs."""
    errors: list[str]
    """Processes that could not be killed, and why."""
    reported: list[int]
    """PIDs of processes without an owner that were left alone."""
    stale_files: list[str]
    """PID files that were removed."""

    def _say(self) -> str:
        left = f", {len(self.reported)} left alone" if self.reported else ""
        return f"Orphan cleanup: {len(self.killed)} processes killed, {len(self.errors)} errors{left}"


@dataclass(frozen=True, slots=True)
class RoutesFileTakenOver(ServerEvent):
    """A new routes.json is in force."""

    kind: ClassVar[str] = "routesFileTakenOver"
    routes: int
    added: list[str]
    changed: list[str]
    removed: list[str]

    def _say(self) -> str:
        counts = f"{len(self.added)} added, {len(self.changed)} changed, {len(self.removed)} removed"
        return f"routes.json was taken over: {self.routes} route(s), {counts}"


@dataclass(frozen=True, slots=True)
class RoutesFileRefused(ServerEvent):
    """routes.json has errors: at the start its valid routes count, later nothing of it does."""

    kind: ClassVar[str] = "routesFileRefused"
    errors: list[str]

    def _say(self) -> str:
        more = f" (and {len(self.errors) - 1} more)" if len(self.errors) > 1 else ""
        return f"routes.json has errors: {self.errors[0] if self.errors else 'unknown'}{more}"


# Operators


@dataclass(frozen=True, slots=True)
class OperatorAction(ServerEvent):
    """Somebody changed something, or tried a sign-in."""

    kind: ClassVar[str] = "operatorAction"
    action: str
    """`route.start`, `user.add`; `POST /api/…` where the path has no name of its own."""
    by: str
    """The user; `token:…`: an API token; `local`: a command on this machine; `nobody`: not signed in."""
    role: str | None
    address: str | None
    """Where from: an IP address."""
    route_id: str | None
    before: object
    """The old value, of the fields that differ; secrets hidden."""
    after: object
    """The new value, likewise."""

    @property
    def route(self) -> str | None:
        """The route it was done to."""
        return self.route_id

    @property
    def actor(self) -> str | None:
        """Who did it."""
        return self.by

    def _say(self) -> str:
        whom = f" {self.route_id}" if self.route_id else ""
        return f"{self.by} ({self.address or 'this machine'}): {self.action}{whom}"


@dataclass(frozen=True, slots=True)
class SignInRefused(ServerEvent):
    """A sign-in failed. Many are counted: whoever guesses must not push everything else out of the history."""

    kind: ClassVar[str] = "signInRefused"
    often: ClassVar[int | None] = 4 * OFTEN
    user: str | None
    """Whose account it was meant for; None: there is none of that name, and the name is not kept."""
    address: str | None
    """Where from: an IP address."""
    reason: str
    """`password`, `tooMany`."""

    def _say(self) -> str:
        why = "wrong password" if self.reason == "password" else "too many tries"
        return f"A sign-in as {self.user or 'somebody unknown'} from {self.address or 'this machine'} failed: {why}"


# Routes


@dataclass(frozen=True, slots=True)
class RouteAdded(RouteEvent):
    """The route is new."""

    kind: ClassVar[str] = "routeAdded"
    name: str

    def _say(self) -> str:
        return f"Route {self.name} was added"


@dataclass(frozen=True, slots=True)
class RouteEdited(RouteEvent):
    """The route has a new definition."""

    kind: ClassVar[str] = "routeEdited"
    name: str
    fields: list[str]
    """Fields of routes.json that differ; never their values."""

    def _say(self) -> str:
        return f"Route {self.name} was edited: {', '.join(self.fields)}"


@dataclass(frozen=True, slots=True)
class RouteRemoved(RouteEvent):
    """The route is no more."""

    kind: ClassVar[str] = "routeRemoved"
    name: str

    def _say(self) -> str:
        return f"Route {self.name} was removed"


@dataclass(frozen=True, slots=True)
class RouteStarted(RouteEvent):
    """The route was put on air."""

    kind: ClassVar[str] = "routeStarted"
    reason: str
    """`order`, `restart`, `autoStart`."""

    def _say(self) -> str:
        return f"Route {self.route_id} was started ({self.reason})"


@dataclass(frozen=True, slots=True)
class RouteStopped(RouteEvent):
    """The route was taken off air: every process of it is dead."""

    kind: ClassVar[str] = "routeStopped"
    reason: str
    """`order`, `restart`, `removed`, `serverStopping`."""

    def _say(self) -> str:
        return f"Route {self.route_id} was stopped ({self.reason})"


@dataclass(frozen=True, slots=True)
class StartRefused(RouteEvent):
    """A check before the start failed."""

    kind: ClassVar[str] = "startRefused"
    often: ClassVar[int | None] = OFTEN
    reasons: list[str]
    keeps_trying: bool
    """It is looked at again until it can start."""

    def _say(self) -> str:
        return f"Route {self.route_id} cannot start: {'; '.join(self.reasons)}"

    def _same(self) -> tuple[object, ...]:
        return (tuple(self.reasons),)


@dataclass(frozen=True, slots=True)
class RouteStatusChanged(RouteEvent):
    """The status of the route is another one."""

    kind: ClassVar[str] = "routeStatus"
    often: ClassVar[int | None] = OFTEN
    before: RouteStatus
    status: RouteStatus

    def _say(self) -> str:
        return f"Route {self.route_id} is {self.status}"

    def _same(self) -> tuple[object, ...]:
        return (self.before, self.status)


# Processes


@dataclass(frozen=True, slots=True)
class ProcessStarted(ProcessEvent):
    """A process lives. Not told of the next try of a caller whose peer is away or refuses."""

    kind: ClassVar[str] = "processStarted"
    pid: int

    def _say(self) -> str:
        return f"{self.process_type} started (PID {self.pid})"


@dataclass(frozen=True, slots=True)
class ProcessEnded(ProcessEvent):
    """A process ended, and nobody had asked for it."""

    kind: ClassVar[str] = "processEnded"
    pid: int | None
    exit: str
    """As people say it: `exit status 1`, `killed by SIGKILL`."""
    exit_code: int | None
    signal: int | None
    outcome: Outcome
    """What the end means."""
    pause_s: float
    """Seconds until it starts again; 0: at once."""
    last_words: str | None
    """The last line of its log."""

    def _say(self) -> str:
        wait = f"in {self.pause_s:.1f} s" if self.pause_s > 0 else "at once"
        return f"{self.process_type} ended ({self.exit}, {self.outcome}), starts again {wait}"

    def _same(self) -> tuple[object, ...]:
        return (self.exit, self.outcome)

    @property
    def freely(self) -> int | None:
        """A caller that waits tells it once."""
        return 1 if self.outcome in (Outcome.UNANSWERED, Outcome.REJECTED) else OFTEN


@dataclass(frozen=True, slots=True)
class ProcessNotStarted(ProcessEvent):
    """A process could not be started at all."""

    kind: ClassVar[str] = "processNotStarted"
    often: ClassVar[int | None] = 1
    reason: str

    def _say(self) -> str:
        return f"{self.process_type} cannot be started: {self.reason}"

    def _same(self) -> tuple[object, ...]:
        return (self.reason,)


@dataclass(frozen=True, slots=True)
class CrashLooping(ProcessEvent):
    """Ten failures within a minute; the tries go on at the longest pause."""

    kind: ClassVar[str] = "crashLooping"
    restarts: int
    """Since the route was started."""

    def _say(self) -> str:
        return f"{self.process_type} is crash-looping ({self.restarts} restarts); it is tried again every 30 s"


@dataclass(frozen=True, slots=True)
class PeerConnected(ProcessEvent):
    """The peer of a process is there."""

    kind: ClassVar[str] = "peerConnected"
    peer: str | None
    """Address and port, where known."""

    def _say(self) -> str:
        return f"{self.process_type}: {self.peer or 'its peer'} connected"


@dataclass(frozen=True, slots=True)
class PeerDisconnected(ProcessEvent):
    """The peer of a process has left."""

    kind: ClassVar[str] = "peerDisconnected"
    peer: str | None
    connected_ms: int | None
    """Milliseconds for which it was there."""

    def _say(self) -> str:
        return f"{self.process_type}: {self.peer or 'its peer'} disconnected"


@dataclass(frozen=True, slots=True)
class PeerRejected(ProcessEvent):
    """A peer was refused, or refused us: a wrong passphrase, most often."""

    kind: ClassVar[str] = "peerRejected"
    often: ClassVar[int | None] = 1
    peer: str | None
    reason: str

    def _say(self) -> str:
        return f"{self.process_type}: {self.reason}"

    def _same(self) -> tuple[object, ...]:
        return (self.reason,)


_KINDS: tuple[type[ServerEvent], ...] = (
    ServerStarted,
    ServerStopping,
    OrphansCleanedUp,
    RoutesFileTakenOver,
    RoutesFileRefused,
    OperatorAction,
    SignInRefused,
    RouteAdded,
    RouteEdited,
    RouteRemoved,
    RouteStarted,
    RouteStopped,
    StartRefused,
    RouteStatusChanged,
    ProcessStarted,
    ProcessEnded,
    ProcessNotStarted,
    CrashLooping,
    PeerConnected,
    PeerDisconnected,
    PeerRejected,
    *HEALTH_KINDS,
    *STREAM_KINDS,
    *ALARM_KINDS,
    *BACKUP_KINDS,
    *UPGRADE_KINDS,
)
KINDS = {each.kind: each for each in _KINDS}
"""Every kind there is, by name."""
