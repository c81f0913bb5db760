"""The owner of one route: one task, one mailbox, and the only place where its processes are changed.

It compares what should run (the plan of the route, if the route is wanted) with what does run, and acts
on the difference: at an order, at a change of the route, and at every death.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from srt_router.errors import SpawnFailed, StartRefused, StopFailed
from srt_router.processes.child import Child
from srt_router.processes.ending import end_all
from srt_router.processes.spawner import CONFIG_SUFFIX, LOG_SUFFIX, STATS_SUFFIX, remove_output
from srt_router.processes.spec import ProcessSpec
from srt_router.routes.model import Route
from srt_router.routes.plan import PlanContext, plan
from srt_router.supervision import process_state as ps
from srt_router.supervision.adoption import Adoption, buses_text, follow_logs, late_news, take_over
from srt_router.supervision.checks import PortTable
from srt_router.supervision.configuring import configure
from srt_router.supervision.gate import Gate
from srt_router.supervision.mailbox import Mailbox, answer
from srt_router.supervision.messages import Change, Complete, Happened, Joined, Message, Order, Recheck, Renew, Touched
from srt_router.supervision.preparation import prepare, prepare_change
from srt_router.supervision.process_record import ProcessRecord
from srt_router.supervision.process_state import Action, Phase
from srt_router.supervision.reports import RouteReports
from srt_router.supervision.restart import FAILURE_CAP_S
from srt_router.supervision.route_condition import RouteCondition
from srt_router.supervision.route_state import RouteStatus
from srt_router.supervision.services import Services

log = logging.getLogger("RouteManager")

_ENDED_KEPT = 32
"""So many ended processes are remembered."""
_GONE = "it was removed meanwhile, or the server is stopping"
_RECHECK_S = 5.0
"""A route that was refused at the server's start is looked at again so often."""


class RouteOwner(RouteCondition):
    """Keeps the processes of one route equal to what they should be."""

    def __init__(self, route: Route, services: Services) -> None:
        super().__init__(route, services.changed)
        self._services = services
        self._reports = RouteReports(lambda: self.route, services.events)
        self._told = RouteStatus.STOPPED
        self._mailbox = Mailbox()
        self._tell = self._mailbox.tell
        self._context: PlanContext | None = None
        self._gate = Gate(route.id, services, self._tell)
        self._recheck: asyncio.TimerHandle | None = None
        self._stop_waiters: list[asyncio.Future[None]] = []
        self._closed = ""
        self._to_end: list[Child] = []
        self._task = services.tasks.create_task(self._run(), name=f"owner of {route.id}")

    # What others may ask for

    async def start(self, table: PortTable | None = None, *, keep_trying: bool = False) -> None:
        """Put the route on air. Raises StartRefused with the reasons; `keep_trying` looks again later."""
        await self._ask_start(lambda done: Order(True, done, table, keep_trying))

    async def stop(self) -> None:
        """Take the route off air; returns when every process of it is dead. Raises StopFailed if one stays."""
        await self._mailbox.ask(lambda done: Order(False, done), self._task)

    async def restart(self) -> None:
        """Stop and start again. Raises StartRefused, and the route is then stopped."""
        await self._ask_start(lambda done: Order(True, done, again=True))

    async def change(self, route: Route) -> None:
        """Take a new definition over; only processes whose command line differs are restarted."""
        await self._mailbox.ask(lambda done: Change(route, done), self._task)

    def adopt(self, adoption: Adoption) -> None:
        """Begin with processes that an earlier server started; what is missing is started at `complete`."""
        self.wanted, self._context, self.started_ms = True, adoption.context, adoption.started_ms
        self.processes.add(take_over(adoption, self._services, self._child_ended))
        self._told = self.status
        self._services.spawner.share.submit(partial(self._adopted, adoption))  # its turn comes before that of any death

    def _adopted(self, adoption: Adoption) -> None:
        self._reports.adopted(self.processes.values())
        follow_logs(adoption, self._services, self.processes, self._read_log)

    def complete(self, adoption: Adoption) -> None:
        """Start what is missing."""
        for message in late_news(adoption, self.processes):
            self._tell(message)

    def leave(self) -> None:
        """End the owner and nothing else: its processes stay on air, for the next server."""
        self._closed = "leaving"
        self._gate.open()
        self._task.cancel()

    async def close(self, reason: str) -> None:
        """Stop, and end the owner; from now on every start is refused."""
        self._closed = reason
        with contextlib.suppress(StopFailed):  # it has been logged, and more cannot be done
            await self.stop()
        self._task.cancel()

    def live_buses(self) -> Iterator[tuple[str, int]]:
        """Group and port of each bus that a live process of this route fills."""
        if self.wanted:
            for record in self.processes.values():
                if record.child is not None and record.child.spec.feeds is not None:
                    yield record.child.spec.feeds

    def renew(self, process_type: str) -> None:
        """Replace one process that lives but stalls."""
        self._tell(Renew(process_type))

    def touch(self) -> None:
        """Look at the status again: the health of a process has changed."""
        self._tell(Touched())

    @property
    def context(self) -> PlanContext | None:
        """What its plan is made with; None while it is off air, or was refused."""
        return self._context if self.wanted and not self.refused else None

    async def _ask_start(self, message: Callable[[asyncio.Future[None]], Message]) -> None:
        if not await self._mailbox.ask(message, self._task):
            raise StartRefused(self.route.id, [_GONE])

    # The task

    async def _run(self) -> None:
        while True:
            message = await self._mailbox.next()
            await self._handle(message)
            self._end_what_must_end()
            await self._settle()
            self._tell_status()

    def _tell_status(self) -> None:
        status = self.status
        if status is not self._told:
            before, self._told = self._told, status
            self._reports.status(before, status)
        self._services.announce(self.route.id)

    async def _handle(self, message: Message) -> None:
        match message:
            case Order():
                await (self._order_start(message) if message.wanted else self._order_stop(message.done))
            case Change(route=route, done=done):
                await self._change(route)
                answer(done)
            case Complete():
                self._reconcile()
            case Recheck():
                if self.wanted and self.refused:
                    await self._begin(None, keep_trying=True)
            case _:
                self._take_note(message)

    def _take_note(self, message: Message) -> None:
        match message:
            case Happened():
                self._happened(message)
            case Joined():
                for held in self._gate.joined(message):
                    self._services.spawner.share.submit(partial(self._spawn, held))
            case Renew(process_type=process_type):
                if (record := self.processes.get(process_type)) and record.state.wanted:
                    self._feed(record, ps.Replace())
            case _:
                pass  # Touched: all that it wants comes after every message

    async def _order_start(self, order: Order) -> None:
        if self._closed:
            answer(order.done, StartRefused(self.route.id, [_GONE]))
            return
        if self.refused:  # whoever starts it by hand does not give up for those who wait
            order = replace(order, keep_trying=True)
        if order.again and self.wanted:
            self._take_down()
        if not self.wanted and self.processes:
            self.next_starts = (*self.next_starts, replace(order, table=None, again=False))
            return
        if self.wanted and not self.refused:
            answer(order.done)  # it is on air already: asking twice does no harm
            return
        if reasons := await self._begin(order.table, keep_trying=order.keep_trying):
            answer(order.done, StartRefused(self.route.id, reasons))
        else:
            answer(order.done)

    async def _begin(self, table: PortTable | None, *, keep_trying: bool) -> list[str]:
        context, reasons = await prepare(self.route, self._services, table, self._context)
        if reasons and tuple(reasons) != self.refused:
            self._reports.refused(reasons, keeps_trying=keep_trying)
        self.refused = tuple(reasons) if keep_trying else ()
        self.wanted = keep_trying or not reasons
        if self._recheck:
            self._recheck.cancel()
        if reasons:
            if keep_trying:
                self._recheck = asyncio.get_running_loop().call_later(_RECHECK_S, self._tell, Recheck())
            return reasons
        self._context = context
        self.started_ms = time.time_ns() // 1_000_000
        self._reports.started("autoStart" if keep_trying else "order")
        self._reconcile()
        return []

    async def _order_stop(self, done: asyncio.Future[None]) -> None:
        self._stop_waiters.append(done)
        self._refuse_next_starts("it was stopped meanwhile")
        self._take_down()

    def _refuse_next_starts(self, reason: str) -> None:
        starts, self.next_starts = self.next_starts, ()
        for order in starts:
            answer(order.done, StartRefused(self.route.id, [reason]))

    def _take_down(self) -> None:
        self.wanted = False
        self.refused = ()
        self._reconcile()
        for record in self._gate.open():
            self._feed(record, ps.StartFailed())

    async def _change(self, route: Route) -> None:
        self.route = route
        if self.wanted and self.refused:
            await self._begin(None, keep_trying=True)
        elif self.wanted and self._context:
            self._context = await prepare_change(route, self._services, self._context)
            self._reconcile()

    # What should run against what does

    def _reconcile(self) -> None:
        running = [(r.child.spec if r.child else r.spec) for r in self.processes.values() if r.state.wanted]
        specs = plan(self.route, self._context, running) if self.wanted and self._context else []
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
        before, record.spec = record.spec, spec
        if record.state.wanted and before.spec_hash != spec.spec_hash:
            self._feed(record, ps.Replace())
            return
        if record.child and spec.config is not None and spec.config != before.config:
            configure(self._services.spawner, record)
        self._feed(record, ps.Want())

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
        if self._gate.passes(record, self.processes.values()):
            self._services.spawner.share.submit(partial(self._spawn, record))

    def _spawn(self, record: ProcessRecord) -> None:
        """Start a process; runs on the loop, in the gate's turn."""
        process_type = record.spec.process_type
        if not record.state.wanted:
            self._tell(Happened(process_type, ps.StartFailed()))
            return
        try:
            self._services.logs.follow(record.spec.name + LOG_SUFFIX, partial(self._read_log, record))
            child = self._services.spawner.spawn(record.spec, self._child_ended, buses_text(self._context))
        except (OSError, SpawnFailed) as error:
            if record.error != str(error):
                self._reports.process_not_started(record, str(error))
            record.error = str(error)
            self._tell(Happened(process_type, ps.StartFailed()))
            return
        record.started(child)
        self._reports.process_started(record, child)
        self._tell(Happened(process_type, ps.Started(), child))

    def _arm(self, record: ProcessRecord) -> None:
        assert record.state.retry_at is not None  # noqa: S101 - the table sets it with ARM
        pause = min(record.state.retry_at - time.monotonic(), FAILURE_CAP_S)
        message = Happened(record.spec.process_type, ps.Due(record.state.retry_at))
        asyncio.get_running_loop().call_later(pause, self._tell, message)

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
            self._refuse_next_starts(f"PID {failure.pid} could not be ended")
            waiters, self._stop_waiters = self._stop_waiters, []
            for done in waiters:
                answer(done, StopFailed(f"Route {self.route.id}: PID {failure.pid} {failure.reason}"))

    # What happens to the processes

    def _child_ended(self, child: Child) -> None:
        """Runs on the loop as soon as a death was seen."""
        self._services.logs.drain(child.spec.name + LOG_SUFFIX)
        record = self.processes.get(child.spec.process_type)
        try:
            self._services.spawner.remove_pid_file(child)
        except OSError as error:  # a disk that became read-only hides no death
            log.error("Cannot remove the PID file of %s: %s", child.spec.name, error.strerror)  # noqa: TRY400
        if record is None or record.child is not child or child.exit is None:
            return
        before, why = record.connection, record.ended(child.exit)
        self._reports.connection(record, before)
        self._tell(Happened(child.spec.process_type, ps.Ended(child.exit, why), child))

    def _happened(self, message: Happened) -> None:
        record = self.processes.get(message.process_type)
        if record is None:
            return
        before = record.state
        self._feed(record, message.event)
        started = message.child if isinstance(message.event, ps.Started) else None
        if started and started.spec.spec_hash != record.spec.spec_hash:
            self._feed(record, ps.Replace())  # the route was changed while it started
        if isinstance(message.event, ps.Ended) and before.wanted and before.phase is not Phase.ENDING:
            self._reports.process_ended(record, message.child, message.event, before)

    def _read_log(self, record: ProcessRecord, lines: list[str]) -> None:
        before = record.connection
        if record.read_log(lines, self.route.secrets()):
            self._reports.connection(record, before)
            self._tell_status()

    async def _settle(self) -> None:
        """Forget processes that are neither wanted nor there; tell those who wait for that, and start anew."""
        for record in list(self.processes.values()):
            if not record.state.wanted and record.state.phase is Phase.DOWN:
                self._forget(record)
        if not self.wanted and not self.processes:
            if self.started_ms is not None:
                self._reports.stopped(self._closed or ("restart" if self.next_starts else "order"))
            self.started_ms = None
            waiters, self._stop_waiters = self._stop_waiters, []
            for done in waiters:
                answer(done)
            for order in self.next_starts:  # emptied last: until then the route is restarting
                await self._order_start(order)
            self.next_starts = ()

    def _forget(self, record: ProcessRecord) -> None:
        process_type = record.spec.process_type
        self._services.logs.unfollow(record.spec.name + LOG_SUFFIX)
        self._services.statistics.forget(record.spec.name + STATS_SUFFIX)
        self._services.spawner.unwritten.forget(record.spec.name + CONFIG_SUFFIX)
        remove_output(self._services.spawner.run_dir, record.spec)
        del self.processes[process_type]
        self.ended.pop(process_type, None)
        self.ended[process_type] = record
        while len(self.ended) > _ENDED_KEPT:
            del self.ended[next(iter(self.ended))]
