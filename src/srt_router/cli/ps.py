"""`srt-router ps`: every media process of this host, with or without a server."""

from __future__ import annotations

import json as compact
import sys
import time
from collections.abc import Sequence
from typing import Annotated

import typer
from pydantic import TypeAdapter

from srt_router.cli import display
from srt_router.cli.options import ConfigOption, JsonOption, read_settings
from srt_router.processes import usage
from srt_router.processes.states import ProcessState
from srt_router.settings import Settings
from srt_router.supervision.installation import Installation, look_at
from srt_router.supervision.inventory import ProcessItem, inventory

_ITEMS = TypeAdapter(list[ProcessItem])
_REFRESH_S = 1.0
_CLEAR = "\x1b[H\x1b[2J"
_COLUMNS = ("ROUTE", "TYPE", "STATE", "PID", "CPU%", "MEMORY", "UPTIME", "RESTARTS", "COMMAND")
_RIGHT = {"PID", "CPU%", "MEMORY", "UPTIME", "RESTARTS"}


def ps(
    config: ConfigOption = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Refresh every second until Ctrl-C.")] = False,
    json: JsonOption = False,
) -> None:
    """List every media process: route, type, state, PID, CPU, memory, uptime, restarts, command.

    States: running, stopped (should run, waits for its next start), orphaned (runs without a PID file),
    zombie (a PID file whose process is gone). CPU % is that of one core over the last 0.2 s, with
    --watch over the last second. Restarts are known to a running server only, otherwise "-".
    Works without a server too.
    """
    settings = read_settings(config)
    if not watch:
        installation = look_at(settings)
        document, items, _ = _look(installation, None)
        print(display.as_json(document) if json else _table(items))
        return
    try:
        _watch(settings, json=json)
    except KeyboardInterrupt:
        return


def _watch(settings: Settings, *, json: bool) -> None:
    """One table, or one line of JSON, a second. A server may come and go meanwhile."""
    before: dict[int, usage.Sample] | None = None
    terminal = sys.stdout.isatty()
    while True:
        installation = look_at(settings)
        try:
            document, items, before = _look(installation, before)
        finally:
            installation.close()
        text = compact.dumps(document) if json else _table(items) + ("" if terminal else "\n")
        print((_CLEAR if terminal and not json else "") + text, flush=True)
        time.sleep(_REFRESH_S)


def _look(
    installation: Installation, before: dict[int, usage.Sample] | None
) -> tuple[dict[str, object], list[ProcessItem], dict[int, usage.Sample]]:
    """The list for scripts and for people, and what the next look measures processor load against."""
    if before is None:
        for text in installation.notes:
            display.note(text)
    listed = installation.list_processes()
    pids = [one.pid for one in listed if one.pid and one.state is not ProcessState.ZOMBIE]
    if before is None:
        before = usage.sample(pids)
        time.sleep(usage.INTERVAL_S if pids else 0)
    now = usage.sample(pids)
    items = inventory(listed, usage.between(before, now), installation.known() or ())
    server = installation.server
    document: dict[str, object] = {
        "server": {"pid": server.pid, "url": server.url} if server else None,
        "items": _ITEMS.dump_python(items, mode="json", by_alias=True),
    }
    return document, items, now


def _table(items: Sequence[ProcessItem]) -> str:
    rows = [_COLUMNS, *(_row(one) for one in items)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if name in _RIGHT else cell.ljust(width)
            for name, cell, width in zip(_COLUMNS, row, widths, strict=True)
        ]
        lines.append(display.cut("  ".join(cells).rstrip(), display.line_width()))
    return "\n".join(lines)


def _row(one: ProcessItem) -> tuple[str, ...]:
    return (
        one.route or "-",
        one.type or "-",
        str(one.state),
        str(one.pid or "-"),
        display.percent(one.cpu_percent),
        display.memory(one.memory_bytes),
        display.duration(one.uptime_s),
        "-" if one.restarts is None else str(one.restarts),
        one.command or "-",
    )
