"""`srt-router cleanup`: shows every media process, asks, and ends those that no live server supervises."""

from __future__ import annotations

import asyncio
import sys
from itertools import groupby
from typing import Annotated

import typer
from pydantic import TypeAdapter

from srt_router.cli import display
from srt_router.cli.options import ConfigOption, JsonOption, read_settings
from srt_router.processes.ownership import Rules, Scope
from srt_router.processes.proc import SRT_LIVE_TRANSMIT
from srt_router.supervision.installation import Installation, look_at
from srt_router.supervision.inventory import Action, ProcessItem
from srt_router.supervision.manual_cleanup import Candidate, ManualCleanup, Outcome

_ITEM = TypeAdapter(ProcessItem)
_COMMAND_WIDTH = 160


def cleanup(  # noqa: PLR0913 - one parameter for each option
    config: ConfigOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done; do nothing, ask nothing.")
    ] = False,
    scope: Annotated[
        Scope | None,
        typer.Option(
            "--scope",
            help="host: every srt-live-transmit without a live owner. owned: only what this installation "
            "started. Default: setting CLEANUP_SCOPE.",
        ),
    ] = None,
    include_live: Annotated[
        bool, typer.Option("--include-live", help="Also processes of routes on air; the server starts them again.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """List and kill left-over srt-live-transmit, ffmpeg and udpDuplicator processes; remove their PID files.

    Processes of other users' routers that run, and of routes on air, are left alone. Asks before it
    kills; the answer is read from standard input, and the end of it means no.

    Exit status: 0 done (also when the answer was no), 1 something could not be killed, 2 usage.
    """
    settings = read_settings(config)
    installation = look_at(settings)
    # a person looks at the list and answers: so what was there before the first start may go as well
    rules = Rules(scope or settings.cleanup_scope, first_start=False, include_live=include_live)
    cleaning = ManualCleanup(installation, rules)
    try:
        cleaning.look()
        _warn(installation, cleaning, include_live=include_live)
        if not json:
            _show(cleaning)
        go_on = not dry_run and (yes or _confirmed(len(cleaning.of(Action.KILL)), to_stderr=json))
        outcome = asyncio.run(cleaning.carry_out()) if go_on else None
    finally:
        cleaning.close()
    if json:
        print(display.as_json(_document(installation, cleaning, outcome)))
    else:
        _tell(cleaning, outcome, dry_run=dry_run)
    if outcome and outcome.errors:
        raise typer.Exit(1)


def _warn(installation: Installation, cleaning: ManualCleanup, *, include_live: bool) -> None:
    for text in installation.notes:
        display.note(text)
    server = installation.server
    if server is None:
        return
    if include_live:
        display.note(f"a server is running ({server}): what is killed of its routes on air, it starts again at once")
    elif any(one.verdict.action is Action.LEAVE for one in cleaning.candidates):
        display.note(f"a server is running ({server}): processes of routes on air are left alone (see --include-live)")
    else:
        display.note(f"a server is running ({server})")


def _show(cleaning: ManualCleanup) -> None:
    chosen = cleaning.of(Action.KILL)
    number = 0
    if not any(one.kind == SRT_LIVE_TRANSMIT for one in chosen):
        print(f"[Cleanup] Found 0 {SRT_LIVE_TRANSMIT} process(es)")
    for kind, group in groupby(chosen, key=lambda one: one.kind):
        members = list(group)
        print(f"[Cleanup] Found {len(members)} {kind} process(es):")
        for one in members:
            number += 1
            print(f"  {number}. {_line(one)}\n     {_details(one)}")
    left = cleaning.of(Action.LEAVE, Action.REPORT)
    if left:
        print(f"[Cleanup] Leaving {len(left)} process(es) alone:")
        for one in left:
            print(f"  - {_line(one)}\n    {_details(one)}: {one.verdict.reason}")
    stale = cleaning.of(Action.REMOVE_FILE)
    if stale:
        print(f"[Cleanup] Found {len(stale)} stale PID file(s): {', '.join(str(one.listed.pid_file) for one in stale)}")


def _line(one: Candidate) -> str:
    command = display.cut(one.item.command, _COMMAND_WIDTH)
    return f"PID {one.item.pid} ({display.percent(one.item.cpu_percent)}% CPU) - {command}"


def _details(one: Candidate) -> str:
    shown = one.item
    whose = " ".join(part for part in (shown.route, shown.type) if part) or "no route"
    return f"{display.memory(shown.memory_bytes)}, {display.duration(shown.uptime_s)}, {whose}, {shown.state}"


def _confirmed(count: int, *, to_stderr: bool) -> bool:
    """Ask where there is something to kill; stale PID files alone need no question."""
    if count == 0:
        return True
    stream = sys.stderr if to_stderr else sys.stdout
    print(f"Kill all {count} process(es)? (yes/no): ", end="", file=stream, flush=True)
    answer = sys.stdin.readline()
    if not sys.stdin.isatty():
        print(file=stream)
    return answer.strip().lower() in ("yes", "y")


def _tell(cleaning: ManualCleanup, outcome: Outcome | None, *, dry_run: bool) -> None:
    if outcome is None:
        count, files = len(cleaning.of(Action.KILL)), len(cleaning.of(Action.REMOVE_FILE))
        would = f"would kill {count} process(es) and remove {files} stale PID file(s)"
        print(f"[Cleanup] Dry run: {would}" if dry_run else "[Cleanup] Nothing was done")
        return
    for error in outcome.errors:
        print(f"[Cleanup] Could not kill PID {error.pid}: {error.reason}")
    if outcome.spared:
        pids = ", ".join(map(str, outcome.spared))
        print(f"[Cleanup] Spared, because they ended or came on air meanwhile: PID {pids}")
    done = (
        f"{len(outcome.killed)} killed, {len(outcome.errors)} errors, {len(outcome.removed_files)} PID file(s) removed"
    )
    print(f"[Cleanup] Done: {done}")


def _document(installation: Installation, cleaning: ManualCleanup, outcome: Outcome | None) -> dict[str, object]:
    server = installation.server
    return {
        "server": {"pid": server.pid, "url": server.url} if server else None,
        "items": [
            {
                **_ITEM.dump_python(one.item, mode="json", by_alias=True),
                "action": one.verdict.action,
                "reason": one.verdict.reason,
            }
            for one in cleaning.candidates
        ],
        "done": outcome is not None,
        "killed": outcome.killed if outcome else [],
        "errors": [{"pid": error.pid, "reason": error.reason} for error in outcome.errors] if outcome else [],
        "spared": outcome.spared if outcome else [],
        "removedFiles": outcome.removed_files if outcome else [],
    }
