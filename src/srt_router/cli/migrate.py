"""`srt-router import`: routes out of the files of other gateways."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from srt_router.cli import display
from srt_router.cli.desk import CommandFailed
from srt_router.cli.options import ConfigOption, JsonOption, read_settings
from srt_router.cli.route_desk import Json, RouteDesk
from srt_router.cli.taking_over import read_bytes, take_over, write_private
from srt_router.migration.convert import FIRST_PORT, Migration, Origin, migrated
from srt_router.migration.draft import listening_port
from srt_router.migration.findings import FileRefused


def import_(  # noqa: PLR0913 - one parameter for each option
    file: Annotated[str, typer.Argument(help="File of the other gateway; - is standard input.", show_default=False)],
    origin: Annotated[Origin, typer.Option("--from", help="What the file was written for.", show_default=False)],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Only write the JSON document there (- is standard output).")
    ] = None,
    first_port: Annotated[
        int, typer.Option("--first-port", min=1024, max=65535, help="Where ports that FILE does not name begin.")
    ] = FIRST_PORT,
    auto_start: Annotated[bool, typer.Option("--auto-start", help="On air at once, and with the server.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be added; change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Make routes of another gateway's file, whole or not at all: what cannot be taken over is told, line by line.

    A document of SRT Router itself is taken over by `srt-router routes import`.
    """
    data = read_bytes(file)
    desk = RouteDesk(read_settings(config))
    known = desk.routes([], [])
    try:
        found = migrated(data, origin, first_port=first_port, taken_ports=_ports(known), auto_start=auto_start)
    except FileRefused as refused:
        raise CommandFailed("\n".join(f"{file}, {one}" for one in refused.errors)) from None
    remarks: Json = {"remarks": [one.to_json() for one in found.remarks]}
    if not json:
        for one in found.remarks:
            display.note(f"{file}, {one}")
    if not found.document["routes"]:
        raise CommandFailed(f"{file} has no route that can be taken over")
    if output is None:
        _refuse_known(found, known)
        take_over(desk, found.document, replace=False, dry_run=dry_run, yes=yes, json=json, beside=remarks)
        return
    if str(output) == "-":
        print(display.as_json(found.document))
        return
    if not dry_run:
        write_private(output, display.as_json(found.document) + "\n")
    count = len(found.document["routes"])
    if json:
        print(display.as_json({"output": str(output), "routes": count, **remarks}))
    else:
        print(f"{count} route(s) {'would be' if dry_run else 'were'} written to {output}")


def _ports(routes: list[Json]) -> set[int]:
    """Ports that configured routes hold on this machine."""
    ends = [route["source"]["endpoint"] for route in routes]
    ends += [one["endpoint"] for route in routes for one in route["destinations"] if one["endpoint"]["type"] == "srt"]
    return {port for end in ends if (port := listening_port(end)) is not None}


def _refuse_known(found: Migration, known: list[Json]) -> None:
    """The same file twice must not make every route twice."""
    ids = {one["name"]: one["id"] for one in known}
    twice = [name for route in found.document["routes"] if (name := route["name"]) in ids]
    if twice:
        lines = [f"a route {name!r} is there already ({ids[name]})" for name in twice]
        raise CommandFailed("\n".join([*lines, "nothing was done: take them out of the file, or rename them"]))
