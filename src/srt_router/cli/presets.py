"""`srt-router presets`: transcodes to begin with, for the terminal and for scripts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from srt_router.cli import display
from srt_router.cli.desk import CommandFailed, connected
from srt_router.cli.documents import FileArgument, document, edited
from srt_router.cli.options import ConfigOption, JsonOption, read_settings
from srt_router.cli.route_desk import RouteDesk
from srt_router.cli.taking_over import confirmed
from srt_router.routes.transcode_presets import PRESETS
from srt_router.supervision.installation import find_server

if TYPE_CHECKING:
    from srt_router.client.answers import Preset
    from srt_router.client.machine import Machine

Json = dict[str, Any]

presets = typer.Typer(
    name="presets",
    help="Transcodes to begin with: list, show, add, edit, remove presets.",
    no_args_is_help=True,
)

PresetArgument = Annotated[str, typer.Argument(help="Id or name of a preset.", show_default=False)]
NameOption = Annotated[str | None, typer.Option("--name", help="What routes choose it by.")]
DescriptionOption = Annotated[str | None, typer.Option("--description", help="What it is for.")]
RouteOption = Annotated[str | None, typer.Option("--route", help="With the transcode of this route (id or name).")]


@presets.command("list")
def list_presets(config: ConfigOption = None, json: JsonOption = False) -> None:
    """List presets: those that are built in, then your own. Without a server only what is built in is known."""
    items = _all(config)
    if json:
        print(display.as_json({"items": items}))
        return
    rows = [("NAME", "ID", "VIDEO", "AUDIO", "DESCRIPTION")]
    for one in items:
        transcode = one["transcode"]
        own_id = "built in" if one["builtIn"] else one["id"]
        rows.append((one["name"], own_id, _codec(transcode["video"]), _codec(transcode["audio"]), one["description"]))
    print(display.columns(rows))


@presets.command("show")
def show_preset(preset: PresetArgument, config: ConfigOption = None, json: JsonOption = False) -> None:
    """Print a preset as `presets add` and `presets edit` take it. With --json also its id, and if it is built in."""
    found = _called(preset, _all(config))
    print(display.as_json(found if json else _input(found)))


@presets.command("add")
def add_preset(  # noqa: PLR0913 - one parameter for each option
    file: FileArgument = None,
    name: NameOption = None,
    description: DescriptionOption = None,
    route: RouteOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Make a preset: of a JSON file with `name`, `description`, `transcode`, or of the transcode of a route.

    What an option says counts more than what the file says.
    """
    body = _body(file) | _given(name, description, route, config)
    if "name" not in body or "transcode" not in body:
        raise typer.BadParameter("give a FILE with `name` and `transcode`, or --name and --route")
    _tell(_live(config).add_preset(body), "added", json=json)


@presets.command("edit")
def edit_preset(  # noqa: PLR0913 - one parameter for each option
    preset: PresetArgument,
    file: FileArgument = None,
    name: NameOption = None,
    description: DescriptionOption = None,
    route: RouteOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Change a preset: by a JSON file, by options, or with neither in $EDITOR. What is not named stays.

    Routes that were made with it stay as they are.
    """
    machine = _live(config)
    found = _called(preset, machine.presets())
    before = _input(found)
    change = _body(file) | _given(name, description, route, config)
    after = {**before, **change} if change else edited(before, "preset-")
    if after == before:
        print("Nothing was changed", file=sys.stderr)
        return
    _tell(machine.replace_preset(found["id"], after), "changed", json=json)


@presets.command("remove")
def remove_preset(
    preset: PresetArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    config: ConfigOption = None,
) -> None:
    """Remove a preset. Routes that were made with it stay as they are."""
    machine = _live(config)
    found = _called(preset, machine.presets())
    if not yes and not confirmed(f"Remove the preset {found['name']} ({found['id']})? (yes/no): "):
        print("Nothing was done")
        return
    machine.delete_preset(found["id"])
    print(f"Preset {found['id']} was removed")


def _live(config: Path | None) -> Machine:
    settings = read_settings(config)
    server = find_server(settings)
    if server is None:
        raise CommandFailed(f"no server runs for {settings.data_dir}: presets of your own are kept by it; start it")
    return connected(server).machine


def _all(config: Path | None) -> list[Preset]:
    server = find_server(read_settings(config))
    if server is not None:
        return connected(server).machine.presets()
    return [
        {
            "id": one.id,
            "name": one.name,
            "description": one.description,
            "transcode": one.transcode,
            "builtIn": one.built_in,
        }
        for one in PRESETS
    ]


def _called(name: str, items: list[Preset]) -> Preset:
    """The preset of this id or name: no two are called alike, in capitals or not."""
    for one in items:
        if name == one["id"] or name.casefold() == one["name"].casefold():
            return one
    raise CommandFailed(f"there is no preset {name!r}: srt-router presets list")


def _input(preset: Preset) -> Json:
    """What the API takes of it."""
    return {"name": preset["name"], "description": preset["description"], "transcode": preset["transcode"]}


def _body(file: str | None) -> Json:
    found = document(file) if file else {}
    if not isinstance(found, dict):
        raise typer.BadParameter("must hold one JSON object", param_hint="FILE")
    return found


def _given(name: str | None, description: str | None, route: str | None, config: Path | None) -> Json:
    """What the options say."""
    given: Json = {"name": name, "description": description}
    if route is not None:
        given["transcode"] = RouteDesk(read_settings(config)).route(route)["config"]["transcode"]
        if given["transcode"] is None:
            raise CommandFailed(f"route {route} has no transcode: its stream passes unchanged")
    return {key: value for key, value in given.items() if value is not None}


def _codec(part: str | Json) -> str:
    """`h264 1280x720 3000k`, `copy`, `none`."""
    if isinstance(part, str):
        return part
    size = f"{part['width']}x{part['height']}" if part.get("width") and part.get("height") else ""
    rate = f"{part['bitrateKbps']}k" if part.get("bitrateKbps") else ""
    return " ".join(filter(None, (part["codec"], size, rate)))


def _tell(preset: Preset, done: str, *, json: bool) -> None:
    if json:
        print(display.as_json(preset))
        return
    print(f"Preset {preset['id']} was {done}: {preset['name']}")
