"""What the owner of a route remembers of each of its processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from srt_router.monitoring import connections
from srt_router.monitoring.connections import Connection, ConnectionState
from srt_router.monitoring.output import LastLines
from srt_router.processes.child import Child, Exit
from srt_router.processes.spec import Peer, ProcessSpec
from srt_router.redaction import redact
from srt_router.supervision.health import Watch
from srt_router.supervision.process_state import Ended, Phase, ProcessState
from srt_router.supervision.restart import Outcome, outcome
from srt_router.supervision.route_state import ProcessView

_FEEDING = frozenset({"source", "transcode"})


def now_ms() -> int:
    """Milliseconds since the epoch, for display and storage."""
    return time.time_ns() // 1_000_000


@dataclass(slots=True)
class ProcessRecord:
    """One process of a route: what it should be, what it is, and how it fared."""

    spec: ProcessSpec
    state: ProcessState = ProcessState()
    child: Child | None = None
    connection: ConnectionState = ConnectionState()
    log: LastLines = field(default_factory=LastLines)
    ever_up: bool = False
    connected_this_life: bool = False
    last_exit: Exit | None = None
    last_exit_ms: int | None = None
    last_exit_asked: bool = False
    """The last end was ordered by us."""
    watch: Watch = Watch()
    """Its health: attempts spent, given up or not."""
    rejection: str | None = None
    """Why its peer refused it the last time; None again once it is connected."""
    undelivered: tuple[str, ...] = ()
    """UDP destinations that get nothing though something flows, and why."""
    error: str | None = None
    """Why it cannot be started, or ended."""
    outdated: bool = False
    """An earlier version started it, with another command line than this one would: it waits to be restarted."""
    changed: Callable[[], None] | None = field(default=None, compare=False, repr=False)
    """Called whenever one of the above has become another."""

    def __setattr__(self, name: str, value: object) -> None:
        """Tell of what is shown."""
        before = getattr(self, name, None)
        object.__setattr__(self, name, value)
        if isinstance(before, Watch) and isinstance(value, Watch):  # it is another one every second
            before, value = before.given_up, value.given_up
        if before != value:
            self._tell()

    def _tell(self) -> None:
        if (changed := getattr(self, "changed", None)) is not None:
            changed()

    @property
    def pid(self) -> int | None:
        """Its PID while it lives."""
        return self.child.pid if self.child else None

    @property
    def feeds(self) -> bool:
        """Without it nothing of the route is on air."""
        return not _FEEDING.isdisjoint(self.spec.kinds)

    def view(self) -> ProcessView:
        """What decides the status of the route."""
        return ProcessView(
            self.feeds,
            self.state.phase,
            self.connection.connection,
            self.state.last_outcome,
            self.ever_up,
            self.watch.given_up,
            self.rejection is not None,
            bool(self.undelivered),
        )

    def started(self, child: Child) -> None:
        """It lives."""
        self.child = child
        self.connected_this_life = False
        self.error = None
        if self._knows_no_peer():
            self.connection = replace(self.connection, connection=Connection.UNKNOWN, since_ms=now_ms())
        else:
            self.connection = connections.started(self.connection, now_ms())
        self.connection = replace(self.connection, rejection=None, error=None)  # they were of its last life

    def read_log(self, lines: list[str], secrets: frozenset[str]) -> bool:
        """Take new log lines in; True when they changed the connection."""
        before = self.connection
        for line in lines:
            self.log.add(redact(line, secrets))
            self._tell()
            self.connection = connections.read_line(self.connection, line, now_ms())
            self.connected_this_life = self.connected_this_life or self.connection.connected
        self.rejection = None if self.connection.connected else self.connection.rejection or self.rejection
        if self.connection.error:
            self.connection = replace(self.connection, error=redact(self.connection.error, secrets))
        return self.connection != before

    def ended(self, end: Exit) -> Outcome:
        """It is dead; the answer says what that means if nobody asked for it."""
        self.child = None
        self.outdated = False
        self.ever_up = True
        self.last_exit, self.last_exit_ms = end, now_ms()
        self.last_exit_asked = not self.state.wanted or self.state.phase is Phase.ENDING
        why = outcome(
            self.spec.peer,
            end,
            connected=self.connected_this_life,
            rejected=self.connection.rejection is not None,
        )
        self.connection = connections.ended(self.connection, now_ms())
        return why

    def obituary(self, end: Ended) -> str:
        """For the log: how it ended, and when it starts again."""
        pause = 0.0 if self.state.retry_at is None else self.state.retry_at - time.monotonic()
        wait = f"in {pause:.1f} s" if pause > 0 else "at once"
        words = "".join(f"; its last words: {line}" for line in self.log.tail(1) if not line.startswith("Media path:"))
        return f"{self.spec.process_type} ended ({end.exit}, {end.outcome}), starts again {wait}{words}"

    def _knows_no_peer(self) -> bool:
        """Its log says nothing of a peer: it has none, or it is the test source."""
        return "testSource" in self.spec.kinds or (self.spec.peer is Peer.NONE and not self.feeds)


def pending(records: Iterable[ProcessRecord]) -> list[str]:
    """The types of those that wait to be restarted after an upgrade, in the order in which that disturbs least.

    Destinations first, each of them alone; then what they all depend on.
    """
    found = [record for record in records if record.outdated]
    return [record.spec.process_type for record in sorted(found, key=_how_much_depends_on_it)]


def _how_much_depends_on_it(record: ProcessRecord) -> int:
    kinds = record.spec.kinds
    return 3 if "testSource" in kinds else 2 if "source" in kinds else 1 if "transcode" in kinds else 0
