"""`srt-router doctor`: what is wrong with this machine or this installation, with the remedy."""

from __future__ import annotations

import os
from collections import Counter
from typing import Annotated

import typer

from srt_router.cli import display
from srt_router.cli.options import ConfigOption, JsonOption
from srt_router.doctor.check import Check, State
from srt_router.doctor.examination import examine


def doctor(
    config: ConfigOption = None,
    fix: Annotated[
        bool,
        typer.Option("--fix", help="Mend what can be mended without risk: PID_DIR, modes, rmem_max, stale PID files."),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Check everything that can keep a stream off air, and say how to mend it.

    Programs and versions, folders and disk, routes.json, ports and who holds them, kernel buffers, loopback
    multicast, clock, limits, systemd, the server, orphans. One line each: ok, warn or fail.

    Exit status: 0 nothing failed, 1 something did, 2 usage.
    """
    found: list[Check] = []
    for one in examine(config, os.environ, fix=fix):
        found.append(one)
        if not json:
            print(_line(one), flush=True)
    count = Counter(one.state for one in found)
    if json:
        counts: dict[str, object] = {str(state): count[state] for state in State}
        print(display.as_json({"items": [_item(one) for one in found], **counts}))
    else:
        print(f"{count[State.OK]} ok, {count[State.WARN]} warn, {count[State.FAIL]} fail")
    if count[State.FAIL]:
        raise typer.Exit(1)


def _line(one: Check) -> str:
    remedy = f" -> {one.remedy}" if one.remedy else ""
    fixed = f" [{one.fixed}]" if one.fixed else ""
    return f"{one.state:<4}  {one.name}: {one.message}{remedy}{fixed}"


def _item(one: Check) -> dict[str, str]:
    return {"name": one.name, "state": one.state, "message": one.message, "remedy": one.remedy, "fixed": one.fixed}
