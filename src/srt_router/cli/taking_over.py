"""The last steps of every import: what differs is shown, the user is asked, then it is done whole or not at all."""

from __future__ import annotations

import os
import sys
from json import dumps
from pathlib import Path

from srt_router.cli import display
from srt_router.cli.desk import CommandFailed
from srt_router.cli.route_desk import Json, RouteDesk


def take_over(  # noqa: PLR0913 - one parameter for each option
    desk: RouteDesk,
    document: object,
    *,
    replace: bool,
    dry_run: bool,
    yes: bool,
    json: bool,
    beside: Json | None = None,
) -> None:
    """Show what a document changes, ask, and import it. `beside` is added to the JSON that is printed."""
    tried = desk.take_over(document, replace=replace, dry_run=True)
    if not json:
        _show_differences(tried)
    if not dry_run and not yes and not confirmed("Do it? (yes/no): "):
        print("Nothing was done", file=sys.stderr)
        return
    answer = tried if dry_run else desk.take_over(document, replace=replace)
    if json:
        print(display.as_json({**answer, **(beside or {})}))
    elif not dry_run:
        print("Done")


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read: passphrases may stand in it. Raises CommandFailed."""
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:  # noqa: PTH123
            file.write(text)
    except OSError as error:
        raise CommandFailed(f"{path} cannot be written: {error.strerror}") from error


def read_bytes(file: str) -> bytes:
    """A file's content; `-` is standard input. Raises CommandFailed."""
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "that is no name of a file"
        raise CommandFailed(f"{file} cannot be read: {reason}") from error


def show_effects(effects: Json, *, dry_run: bool) -> None:
    """Which processes are touched."""
    told = [one for one in effects["processes"] if one["action"] != "keep"]
    for one in told:
        print(f"  {one['routeId']} {one['type']}: {one['action']}")
    if dry_run:
        kept = len(effects["processes"]) - len(told)
        print(f"Dry run: {len(told)} process(es) would be touched, {kept} kept")


def confirmed(question: str) -> bool:
    """What the user says, on standard input."""
    print(question, end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline()
    if not sys.stdin.isatty():
        print(file=sys.stderr)
    return answer.strip().lower() in ("yes", "y")


def _show_differences(answer: Json) -> None:
    found = answer["differences"]
    for sign, kind in (("+", "added"), ("~", "changed"), ("-", "removed")):
        for one in found[kind]:
            print(f"{sign} {one['id']} {one['name']}")
            for change in one["fields"]:
                print(f"    {change['field']}: {dumps(change['before'])} -> {dumps(change['after'])}")
    if not any(found.values()):
        print("Nothing differs")
    show_effects(answer["effects"], dry_run=False)
