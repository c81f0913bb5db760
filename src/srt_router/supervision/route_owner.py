"""The owner of one route: one task, one mailbox, and the only place where its processes are changed.

It compares what should run (the plan of the route, if the route is wanted) with what does run, and acts
on the difference: at an order, at a change of the route, and at every death.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from functools import partial

from srt_router.errors import SpawnFailed, StartRefused
from srt_router.processes.child import Child
from srt_router.processes.ending import end_all
from srt_router.processes.spawner import LOG_SUFFIX, remove_output, write_config
from srt_router.processes.spec import ProcessSpec
from srt_router.routes.bus import Bus
from srt_router.routes.model import Route
from srt_router.routes.plan import PlanContext, plan
from srt_router.supervision import process_state as ps
from srt_router.supervision.checks import PortTable, missing_programs, name_holders, taken_ports
from srt_router.supervision.messages import Change, Happened, Joined, Message, Order, Recheck
from srt_router.supervision.process_record import ProcessRecord
from srt_router.supervision.process_state import Action, Phase
from srt_router.supervision.restart import FAILURE_CAP_S, Outcome
from srt_router.supervision.route_state import RouteStatus, route_status
from srt_router.supervision.services import Services

log = logging.getLogger("RouteManager")

_JOIN_WAIT_S = 2.0
"""The source does not wait longer for a destination to join the bus; one that cannot start holds up nobody."""
_ENDED_KEPT = 32
"""So many ended processes are remembered."""
_RECHECK_S = 5.0
"""A route that was refused at the server's start is looked at again so often."""


class RouteOwner:
    """Keeps the processes of one route equal to what they should be."""

    def __init__(self, route: Route, services: Services) -> None:
        self.route = route
        self.wanted = False
        self.restarting = False
        """Stopped only to be started again."""
        self.refused: list[str] = []
        """Why the last start was refused, while it is tried again."""
        self.processes: dict[str, ProcessRecord] = {}
        self.ended: dict[str, ProcessRecord] = {}
        """The last life of processes that are wanted no more: how they ended, and their last words."""
        self.started_ms: int | None = None
        self._services = services
        self._told = RouteStatus.STOPPED
        self._mailbox: asyncio.Queue[Message] = asyncio.Queue()
        self._bus: Bus | None = None
        self._held: list[ProcessRecord] = []
        """Processes that feed a bus whose receivers have not joined it yet."""
        self._joining = False
        self._join_round = 0
        self._stop_waiters: list[asyncio.Future[None]] = []
        self._to_end: list[Child] = []
        self._task = services.tasks.create_task(self._run(), name=f"owner of {route.id}")

    # What others may ask for

    async def start(self, table: PortTable | None = None, *, keep_trying: bool = False) -> None:
        """Put the route on air. Raises StartRefused with the reasons; `keep_trying` looks again later."""
        await self._ask(lambda done: Order(True, done, table, keep_trying))

    async def stop(self) -> None:
        """Take the route off air; returns when every process of it is dead."""
        await self._ask(lambda done: Order(False, done))

    async def restart(self) -> None:
        """Stop and start again. Raises StartRefused, and the route is then stopped."""
        self.restarting = True
        try:
            await self.stop()
            await self.start()
        finally:
            self.restarting = False
            self._services.announce(self.route.id)

    async def change(self, route: Route) -> None:
        """Take a new definition over; only processes whose command line differs are restarted."""
        await self._ask(lambda done: Change(route, done))

    async def close(self) -> None:
        """Stop, and end the owner."""
        await self.stop()
        self._task.cancel()

    @property
    def status(self) -> RouteStatus:
        """The status of the route now."""
        if self.restarting:
            return RouteStatus.RESTARTING
        views = [record.view() for record in self.processes.values()]
        return route_status(wanted=self.wanted, refused=bool(self.refused), processes=views)

    async def _ask(self, message: Callable[[asyncio.Future[None]], Message]) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._mailbox.put_nowait(message(done))
        await done

    # The task

    async def _run(self) -> None:
        while True:
            message = await self._mailbox.get()
            await self._handle(message)
            self._end_what_must_end()
            self._settle()
            self._tell_status()

    def _tell_status(self) -> None:
        status = self.status
        if status is not self._told:
            self._told = status
            log.info("Route %s is %s", self.route.id, status)
        self._services.announce(self.route.id)

    async def _handle(self, message: Message) -> None:
        match message:
            case Order(wanted=True):
                await self._order_start(message)
            case Order(done=done):
                self._order_stop(done)
            case Change(route=route, done=done):
                await self._change(route)
                _resolve(done)
            case Happened():
                self._happened(message)
            case Joined():
                self._joined(message)
            case Recheck():
                if self.wanted and self.refused:
                    await self._begin(None, keep_trying=True)

    async def _order_start(self, order: Order) -> None:
        if self.wanted and not self.refused:
            _resolve(order.done)  # it is on air already: asking twice does no harm
            return
        reasons = await self._begin(order.table, keep_trying=order.keep_trying)
        if order.done.done():
            return
        if reasons:
            order.done.set_exception(StartRefused(self.route.id, reasons))
        else:
            order.done.set_result(None)

    async def _begin(self, table: PortTable | None, *, keep_trying: bool) -> list[str]:
        if table is None:
            table = await asyncio.to_thread(PortTable.look)
        bus = self._services.buses.assign(self.route.id, table.occupied)
        reasons = missing_programs(plan(self.route, self._context(bus)))
        if taken := taken_ports(self.route, table):
            reasons += await asyncio.to_thread(name_holders, taken)
        if reasons and reasons != self.refused:
            log.error("Route %s cannot start: %s", self.route.id, "; ".join(reasons))
        self.refused = reasons if keep_trying else []
        self.wanted = keep_trying or not reasons
        if reasons:
            if keep_trying:
                asyncio.get_running_loop().call_later(_RECHECK_S, self._mailbox.put_nowait, Recheck())
            return reasons
        self._bus = bus
        self.started_ms = time.time_ns() // 1_000_000
        self._reconcile()
        return []

    def _order_stop(self, done: asyncio.Future[None]) -> None:
        self.wanted = False
        self.refused = []
        self._stop_waiters.append(done)
        self._reconcile()
        held, self._held, self._joining = self._held, [], False
        for record in held:
            self._feed(record, ps.StartFailed())

    async def _change(self, route: Route) -> None:
        self.route = route
        if self.wanted and self.refused:
            await self._begin(None, keep_trying=True)
        elif self.wanted:
            self._reconcile()

    # What should run against what does

    def _context(self, bus: Bus) -> PlanContext:
        spawner = self._services.spawner
        return PlanContext(bus=bus, run_dir=str(spawner.run_dir.path), engine=self._services.engine)

    def _reconcile(self) -> None:
        running = [(r.child.spec if r.child else r.spec) for r in self.processes.values() if r.state.wanted]
        specs = plan(self.route, self._context(self._bus), running) if self.wanted and self._bus else []
        desired = {spec.process_type: spec for spec in specs}
        for process_type, record in self.processes.items():
            if process_type not in desired:
                self._feed(record, ps.Unwant())
        for spec in specs:
            self._reconcile_one(spec)

    def _reconcile_one(self, spec: ProcessSpec) -> None:
        record = self.processes.get(spec.process_type)
        if record is None:
            record = self.processes[spec.process_type] = ProcessRecord(spec)
            self.ended.pop(spec.process_type, None)
            self._services.logs.follow(spec.name + LOG_SUFFIX, partial(self._read_log, record))
        before, record.spec = record.spec, spec
        if record.state.wanted and before.spec_hash != spec.spec_hash:
            self._feed(record, ps.Replace())
            return
        if record.child and spec.config is not None and spec.config != before.config:
            self._configure(record)
        self._feed(record, ps.Want())

    def _configure(self, record: ProcessRecord) -> None:
        try:
            write_config(self._services.spawner.run_dir, record.spec)
        except OSError as error:
            record.error = f"its new configuration cannot be written: {error.strerror}"
            log.error("Route %s: %s: %s", self.route.id, record.spec.process_type, record.error)  # noqa: TRY400

    def _feed(self, record: ProcessRecord, event: ps.Event) -> None:
        record.state, actions = ps.step(record.state, event, time.monotonic(), self._services.jitter())
        for action in actions:
            match action:
                case Action.START:
                    self._start(record)
                case Action.END:
                    if record.child:
                        self._to_end.append(record.child)
                case Action.ARM:
                    self._arm(record)

    # Acting

    def _start(self, record: ProcessRecord) -> None:
        if record.spec.joins is not None and not self._on_air():
            self._joining = True
        if record.spec.joins is None and self._joining:
            if not self._held:
                self._services.tasks.create_task(self._await_joins(), name=f"joins of {self.route.id}")
            self._held.append(record)
            return
        self._services.spawner.share.submit(partial(self._spawn, record))

    def _on_air(self) -> bool:
        return any(record.child for record in self.processes.values() if record.feeds)

    async def _await_joins(self) -> None:
        self._join_round += 1
        this_round = self._join_round
        count = sum(r.spec.joins is not None and r.state.wanted for r in self.processes.values())
        bus = self._bus
        complete = bus is not None and await self._services.joins.wait(bus, count, _JOIN_WAIT_S)
        self._mailbox.put_nowait(Joined(complete, this_round))

    def _joined(self, message: Joined) -> None:
        if message.round != self._join_round or not self._joining:
            return  # the route was stopped meanwhile
        if not message.complete:
            log.warning("Route %s: not every destination has joined the bus; the source starts without", self.route.id)
        self._joining = False
        held, self._held = self._held, []
        for record in held:
            self._services.spawner.share.submit(partial(self._spawn, record))

    def _spawn(self, record: ProcessRecord) -> None:
        """Start a process; runs on the loop, in the gate's turn."""
        process_type = record.spec.process_type
        if not record.state.wanted:
            self._tell(Happened(process_type, ps.StartFailed()))
            return
        try:
            child = self._services.spawner.spawn(record.spec, self._child_ended)
        except SpawnFailed as error:
            if record.error != str(error):
                log.error("Route %s: %s", self.route.id, error)  # noqa: TRY400 - the sentence says it all
            record.error = str(error)
            self._tell(Happened(process_type, ps.StartFailed()))
            return
        record.started(child)
        self._tell(Happened(process_type, ps.Started(), child))

    def _tell(self, message: Message) -> None:
        self._mailbox.put_nowait(message)

    def _arm(self, record: ProcessRecord) -> None:
        assert record.state.retry_at is not None  # noqa: S101 - the table sets it with ARM
        pause = min(record.state.retry_at - time.monotonic(), FAILURE_CAP_S)
        message = Happened(record.spec.process_type, ps.Due())
        asyncio.get_running_loop().call_later(pause, self._mailbox.put_nowait, message)

    def _end_what_must_end(self) -> None:
        if self._to_end:
            children, self._to_end = self._to_end, []
            self._services.tasks.create_task(self._end(children), name=f"end of {self.route.id}")

    async def _end(self, children: list[Child]) -> None:
        for failure in await end_all(children):
            log.error("Route %s: PID %d could not be ended: %s", self.route.id, failure.pid, failure.reason)
            for record in self.processes.values():
                if record.pid == failure.pid:
                    record.error = f"PID {failure.pid} could not be ended: {failure.reason}"

    # What happens to the processes

    def _child_ended(self, child: Child) -> None:
        """Runs on the loop as soon as a death was seen."""
        self._services.logs.drain(child.spec.name + LOG_SUFFIX)
        record = self.processes.get(child.spec.process_type)
        self._services.spawner.pid_files.remove_if(child.spec.name, child.pid)
        if record is None or record.child is not child or child.exit is None:
            return
        why = record.ended(child.exit)
        self._tell(Happened(child.spec.process_type, ps.Ended(child.exit, why), child))

    def _happened(self, message: Happened) -> None:
        record = self.processes.get(message.process_type)
        if record is None:
            return
        before = record.state
        self._feed(record, message.event)
        if (
            message.child
            and isinstance(message.event, ps.Started)
            and message.child.spec.spec_hash != record.spec.spec_hash
        ):
            self._feed(record, ps.Replace())  # the route was changed while it started
        if isinstance(message.event, ps.Ended) and before.wanted and before.phase is not Phase.ENDING:
            self._report_end(record, message.event, before)

    def _report_end(self, record: ProcessRecord, event: ps.Ended, before: ps.ProcessState) -> None:
        if event.outcome in (Outcome.UNANSWERED, Outcome.REJECTED) and before.last_outcome is event.outcome:
            return  # a caller that waits tells it once
        pause = 0.0 if record.state.retry_at is None else record.state.retry_at - time.monotonic()
        wait = f"in {pause:.1f} s" if pause > 0 else "at once"
        words = record.log.tail(1)
        log.warning(
            "Route %s: %s ended (%s, %s), starts again %s%s",
            self.route.id,
            record.spec.process_type,
            event.exit,
            event.outcome,
            wait,
            f"; its last words: {words[0]}" if words else "",
        )

    def _read_log(self, record: ProcessRecord, lines: list[str]) -> None:
        if record.read_log(lines, self.route.secrets()):
            self._tell_status()

    def _settle(self) -> None:
        """Forget processes that are neither wanted nor there; tell those who wait for a stop."""
        for record in list(self.processes.values()):
            if not record.state.wanted and record.state.phase is Phase.DOWN:
                self._forget(record)
        if not self.wanted and not self.processes:
            self.started_ms = None
            waiters, self._stop_waiters = self._stop_waiters, []
            for done in waiters:
                _resolve(done)

    def _forget(self, record: ProcessRecord) -> None:
        process_type = record.spec.process_type
        self._services.logs.unfollow(record.spec.name + LOG_SUFFIX)
        remove_output(self._services.spawner.run_dir, record.spec)
        del self.processes[process_type]
        self.ended.pop(process_type, None)
        self.ended[process_type] = record
        while len(self.ended) > _ENDED_KEPT:
            del self.ended[next(iter(self.ended))]


def _resolve(done: asyncio.Future[None]) -> None:
    with contextlib.suppress(asyncio.InvalidStateError):
        done.set_result(None)
