"""What is kept for the next server is written anew exactly when it is another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from srt_router.monitoring.connections import Connection
from srt_router.processes.child import Exit
from srt_router.processes.directories import SafeDirectory
from srt_router.routes.plan import plan
from srt_router.supervision.carry_over import (
    Carried,
    CarriedProcess,
    CarryOver,
    carried_process,
    read_routes_on_air,
    sign_of,
)
from srt_router.supervision.health import Watch
from srt_router.supervision.process_record import ProcessRecord
from srt_router.supervision.restart import Outcome, Restarts
from tests.unit.routes.examples import CONTEXT, listener, route


def record() -> ProcessRecord:
    return ProcessRecord(plan(route(listener(6000)), CONTEXT)[0])


class Child:
    """As much of one as is kept."""

    nonce, pid = "0123", 4711


def connection(**changes: object) -> Callable[[ProcessRecord], None]:
    def change(of: ProcessRecord) -> None:
        of.connection = replace(of.connection, **changes)  # type: ignore[arg-type]

    return change


def restarts(**changes: object) -> Callable[[ProcessRecord], None]:
    def change(of: ProcessRecord) -> None:
        of.state = replace(of.state, restarts=replace(Restarts(), **changes))  # type: ignore[arg-type]

    return change


def put(name: str, value: object) -> Callable[[ProcessRecord], None]:
    return lambda of: setattr(of, name, value)


CHANGES: dict[str, Callable[[ProcessRecord], None]] = {
    "nonce": put("child", Child()),
    "pid": put("child", Child()),
    "connection": connection(connection=Connection.CONNECTED),
    "since_ms": connection(since_ms=5),
    "peer": connection(peer="192.0.2.7:7000"),
    "peer_latency_ms": connection(peer_latency_ms=120),
    "peer_version": connection(peer_version="1.5.1"),
    "connects": connection(connects=1),
    "rejection": put("rejection", "wrong passphrase"),
    "connected_this_life": put("connected_this_life", True),
    "restarts": restarts(total=1),
    "pause_s": restarts(pause_s=1.5),
    "failures": restarts(failures=(7.0,)),
    "outcome": lambda of: setattr(of, "state", replace(of.state, last_outcome=Outcome.PEER_LEFT)),
    "attempts": put("watch", Watch(attempts=1)),
    "given_up_at": put("watch", Watch(given_up_at=9.0)),
    "exit_code": put("last_exit", Exit(1, None)),
    "exit_signal": put("last_exit", Exit(None, 9)),
    "exit_ms": put("last_exit_ms", 3),
    "exit_asked": put("last_exit_asked", True),
}


def test_every_field_is_tried() -> None:
    assert {*CHANGES, "log_at"} == set(CarriedProcess.model_fields)


@pytest.mark.parametrize("field", CHANGES)
def test_what_changes_has_another_sign(field: str) -> None:
    one, other = record(), record()
    assert sign_of(one, 0) == sign_of(other, 0)
    CHANGES[field](other)
    assert getattr(carried_process(one, 0), field) != getattr(carried_process(other, 0), field)
    assert sign_of(one, 0) != sign_of(other, 0)


def test_what_was_read_of_the_log_counts() -> None:
    assert sign_of(record(), 0) != sign_of(record(), 1)


def test_a_watch_that_only_looks_changes_nothing() -> None:
    one, other = record(), record()
    other.watch = Watch(moved_at=5.0, quiet_since=2.0)
    assert sign_of(one, 0) == sign_of(other, 0)


async def test_routes_are_read_as_they_were_written(tmp_path: Path) -> None:
    run_dir = SafeDirectory(tmp_path, mode=0o700, setting="RUN_DIR")
    keeping = CarryOver(run_dir, Carried, lambda: None)
    one, other = route(listener(6000), name="Überlingen"), route(listener(6001), source=listener(7001), number=2)
    await keeping.save_routes([one, other])
    assert read_routes_on_air(run_dir) == (one, other)
    changed = one.model_copy(update={"name": "Ulm"})
    await keeping.save_routes([other, changed])
    assert read_routes_on_air(run_dir) == (other, changed)
    await keeping.save_routes([])
    assert read_routes_on_air(run_dir) == ()
