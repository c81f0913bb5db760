"""The `srt-router` command."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from srt_router import __version__
from srt_router.errors import SrtRouterError
from srt_router.settings import Settings, load_settings

app = typer.Typer(
    name="srt-router",
    help="Routes live SRT feeds.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="TOML file with settings; SRT_ROUTER_<KEY> in the environment wins."),
]


def main() -> None:
    """Entry point: exit status 0 done, 1 failed, 2 usage."""
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
    settings = _settings(config)
    from srt_router import main as server

    server.serve(settings, demo_if_empty=demo_if_empty)


def _settings(config: Path | None) -> Settings:
    return load_settings(config, os.environ)
