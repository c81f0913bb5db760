"""`srt-router routes`: what the API does with routes, for the terminal and for scripts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from srt_router.cli import display
from srt_router.cli.documents import FileArgument, document, edited, parsed
from srt_router.cli.options import ConfigOption, JsonOption, read_settings
from srt_router.cli.route_desk import Json, RouteDesk
from srt_router.cli.taking_over import confirmed, show_effects, take_over, write_private
from srt_router.routes.end_uri import end_from_uri
from srt_router.routes.errors import RouteInvalid

routes = typer.Typer(
    name="routes",
    help="List, show, add, edit, remove, start, stop, export and import routes.",
    no_args_is_help=True,
)

RouteArgument = Annotated[str, typer.Argument(help="Id or name of a route.", show_default=False)]
RoutesArgument = Annotated[list[str], typer.Argument(help="Ids or names of routes.", show_default=False)]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show what would restart; change nothing.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@routes.command("list")
def list_routes(
    tag: Annotated[list[str] | None, typer.Option("--tag", help="Only routes with this tag (several: all).")] = None,
    status: Annotated[list[str] | None, typer.Option("--status", help="Only routes of this status.")] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """List routes: id, status, source, number of destinations, name. Without a server, from routes.json."""
    items = RouteDesk(read_settings(config)).routes(tag or [], status or [])
    if json:
        print(display.as_json({"items": items}))
        return
    rows = [("ID", "STATUS", "SOURCE", "DESTINATIONS", "NAME")]
    for one in items:
        ends = len(one["destinations"])
        rows.append((one["id"], one["status"], _end(one["source"]["endpoint"]), str(ends), one["name"]))
    print(display.columns(rows))


@routes.command("show")
def show_route(route: RouteArgument, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Show one route: status, reasons, ends with their connection, processes. With --json all that is known."""
    desk = RouteDesk(read_settings(config))
    found = desk.route(route)
    if json:
        print(display.as_json(found))
        return
    print(f"{found['name']} ({found['id']}): {found['status']}")
    for reason in found["reasons"]:
        print(f"  {reason}")
    rows = [("END", "WHERE", "PROCESS", "STATE", "CONNECTION")]
    for number, leg in enumerate([found["source"], *found["destinations"]]):
        what = "source" if number == 0 else f"destination {number - 1}"
        rows.append((what, _end(leg["endpoint"]), leg["process"] or "-", leg["state"], leg["connection"]))
    print(display.columns(rows))


@routes.command("add")
def add_route(  # noqa: PLR0913 - one parameter for each option
    file: FileArgument = None,
    name: Annotated[str | None, typer.Option("--name", help="Name of the route.")] = None,
    source: Annotated[str | None, typer.Option("--source", help="Source, such as srt://:4082?latency=200.")] = None,
    to: Annotated[
        list[str] | None,
        typer.Option("--to", help="Destination, such as udp://239.10.0.1:5000?ttl=8; may be given several times."),
    ] = None,
    auto_start: Annotated[bool, typer.Option("--auto-start", help="On air at once, and with the server.")] = False,
    dry_run: DryRunOption = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Add a route: from a JSON file (an object as in routes.json, without id), or from the options.

    A passphrase in an option stands in the process list and in the shell's history: better in a file.
    """
    body = document(file) if file else {}
    if not isinstance(body, dict):
        raise typer.BadParameter("must hold one JSON object", param_hint="FILE")
    if not file and (name is None or source is None):
        raise typer.BadParameter("give a FILE, or --name and --source")
    given: Json = {"name": name, "source": _uri(source, "--source"), "autoStart": auto_start or None}
    given["destinations"] = [_uri(one, "--to") for one in to or []] or None
    body |= {key: value for key, value in given.items() if value is not None}
    answer = RouteDesk(read_settings(config)).change("POST", "", body, dry_run=dry_run)
    _tell(answer, "added", json=json, dry_run=dry_run)


@routes.command("edit")
def edit_route(  # noqa: PLR0913 - one parameter for each option
    route: RouteArgument,
    file: FileArgument = None,
    patch: Annotated[
        str | None, typer.Option("--patch", help='JSON merge patch, such as \'{"source": {"latency": 200}}\'.')
    ] = None,
    dry_run: DryRunOption = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Change a route: by a merge patch, by a whole JSON file, or with neither in $EDITOR.

    Passphrases are shown as **********; one that is left so, or left out, stays. null removes it.
    """
    desk = RouteDesk(read_settings(config))
    tagged = desk.tagged(route)
    found = tagged.value
    if patch is not None:
        answer = desk.change("PATCH", found["id"], parsed(patch, "--patch"), dry_run=dry_run)
    else:
        body = document(file) if file else edited(found["config"], "route-")
        if body == found["config"]:
            print("Nothing was changed", file=sys.stderr)
            return
        answer = desk.change("PUT", found["id"], body, dry_run=dry_run, if_match=None if file else tagged.etag)
    _tell(answer, "changed", json=json, dry_run=dry_run)


@routes.command("remove")
def remove_route(
    route: RouteArgument, yes: YesOption = False, dry_run: DryRunOption = False, config: ConfigOption = None
) -> None:
    """Take a route off air and remove it."""
    desk = RouteDesk(read_settings(config))
    found = desk.route(route)
    if dry_run:
        _tell(desk.change("DELETE", found["id"], None, dry_run=True), "removed", json=False, dry_run=True)
        return
    if not yes and not confirmed(f"Remove {found['name']} ({found['id']}), which is {found['status']}? (yes/no): "):
        print("Nothing was done")
        return
    desk.change("DELETE", found["id"], None)
    print(f"Route {found['id']} was removed")


@routes.command("start")
def start_routes(route: RoutesArgument, config: ConfigOption = None) -> None:
    """Put routes on air, all of them or none."""
    _order("start", route, config)


@routes.command("stop")
def stop_routes(route: RoutesArgument, config: ConfigOption = None) -> None:
    """Take routes off air; returns when their processes are dead."""
    _order("stop", route, config)


@routes.command("restart")
def restart_routes(route: RoutesArgument, config: ConfigOption = None) -> None:
    """Stop and start routes."""
    _order("restart", route, config)


@routes.command("export")
def export_routes(
    route: Annotated[list[str] | None, typer.Argument(help="Ids; all routes unless given.", show_default=False)] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write there, readable by you only.")] = None,
    secrets: Annotated[bool, typer.Option("--secrets", help="With passphrases in the clear.")] = False,
    config: ConfigOption = None,
) -> None:
    """Print routes as a JSON document in the shape of routes.json. Works without a server too."""
    text = display.as_json(RouteDesk(read_settings(config)).export(route or [], secrets=secrets)) + "\n"
    if output is None:
        sys.stdout.write(text)
        return
    write_private(output, text)


@routes.command("import")
def import_routes(  # noqa: PLR0913 - one parameter for each option
    file: Annotated[str, typer.Argument(help="JSON document; - is standard input.", show_default=False)],
    replace: Annotated[bool, typer.Option("--replace", help="Remove routes that the document does not have.")] = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Take the routes of a document over, whole or not at all. Shows what differs, and asks."""
    desk = RouteDesk(read_settings(config))
    take_over(desk, document(file), replace=replace, dry_run=dry_run, yes=yes, json=json)


def _order(action: str, names: list[str], config: Path | None) -> None:
    desk = RouteDesk(read_settings(config))
    ids = list(dict.fromkeys(desk.route_id(name) for name in names))
    desk.salvo([{"action": action, "routeId": one} for one in ids])
    for one in ids:
        print(f"{one}: {desk.route(one)['status']}")


def _end(end: Json) -> str:
    host = end.get("host") or ""
    mode = f"?mode={end['mode']}" if end.get("mode") not in (None, "caller", "listener") else ""
    return f"{end['type']}://{f'[{host}]' if ':' in host else host}:{end['port']}{mode}"


def _uri(text: str | None, option: str) -> Json | None:
    try:
        return None if text is None else end_from_uri(text)
    except RouteInvalid as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


def _tell(answer: Json, done: str, *, json: bool, dry_run: bool) -> None:
    if json:
        print(display.as_json(answer))
        return
    if not dry_run:
        print(f"Route {answer['id']} was {done}: {answer['status']}")
    show_effects(answer["effects"], dry_run=dry_run)
