"""The `srt-router` command."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from typer.completion import completion_init  # type: ignore[attr-defined] # meant for this

from srt_router import __version__
from srt_router.cli.backup import backup
from srt_router.cli.cleanup import cleanup
from srt_router.cli.config import config as config_commands
from srt_router.cli.doctor import doctor
from srt_router.cli.latency import latency
from srt_router.cli.migrate import import_
from srt_router.cli.options import ConfigOption, read_settings
from srt_router.cli.ps import ps
from srt_router.cli.routes import routes
from srt_router.cli.support import COMPLETE, completion, support_bundle
from srt_router.cli.tokens import tokens
from srt_router.cli.upgrade import apply_restarts, upgrade, upgrade_stop
from srt_router.cli.users import users
from srt_router.errors import SrtRouterError

app = typer.Typer(
    name="srt-router",
    help="Routes live SRT feeds.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

app.command("cleanup")(cleanup)
app.command("ps")(ps)
app.command("doctor")(doctor)
app.command("upgrade")(upgrade)
app.command("upgrade-stop")(upgrade_stop)
routes.command("apply")(apply_restarts)
app.command("latency")(latency)
app.command("import")(import_)
app.command("support-bundle")(support_bundle)
app.command("completion")(completion)
app.add_typer(routes)
app.add_typer(users)
app.add_typer(tokens)
app.add_typer(backup)
app.add_typer(config_commands)


def main() -> None:
    """Entry point: exit status 0 done, 1 failed, 2 usage."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without UTF-8 is no reason to fail
    if COMPLETE in os.environ:  # a shell asks which words may follow
        completion_init()
    try:
        app()
    except SrtRouterError as error:
        print(f"srt-router: {error}", file=sys.stderr)
        sys.exit(1)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"srt-router {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """Routes live SRT feeds: one source, N destinations, never an orphan."""


@app.command()
def serve(
    config: ConfigOption = None,
    demo_if_empty: Annotated[
        bool, typer.Option("--demo-if-empty", help="With no route yet, put a demo route on air.")
    ] = False,
) -> None:
    """Run the server until SIGTERM or Ctrl-C."""
    _serve(config, demo_if_empty=demo_if_empty)


@app.command()
def demo(config: ConfigOption = None) -> None:
    """Run the server; with no route yet, put a demo route on air: a test pattern over real SRT."""
    _serve(config, demo_if_empty=True)


def _serve(config: Path | None, *, demo_if_empty: bool) -> None:
    settings = read_settings(config)
    from srt_router import main as server

    server.serve(settings, demo_if_empty=demo_if_empty)
