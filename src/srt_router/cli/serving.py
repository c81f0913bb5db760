"""`srt-router serve`, `demo`: what they need and no more, since a server that is replaced makes its callers wait."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Annotated

import typer

from srt_router.cli.options import ConfigOption, read_settings


def serve(
    config: ConfigOption = None,
    demo_if_empty: Annotated[
        bool, typer.Option("--demo-if-empty", help="With no route yet, put a demo route on air.")
    ] = False,
) -> None:
    """Run the server until SIGTERM or Ctrl-C."""
    _serve(config, demo_if_empty=demo_if_empty)


def demo(config: ConfigOption = None) -> None:
    """Run the server; with no route yet, put a demo route on air: a test pattern over real SRT."""
    _serve(config, demo_if_empty=True)


def _serve(config: Path | None, *, demo_if_empty: bool) -> None:
    gc.disable()  # until everything is loaded: little of what that makes is garbage, and each look at it costs
    settings = read_settings(config)
    from srt_router import main as server

    server.serve(settings, demo_if_empty=demo_if_empty)


short = typer.Typer(name="srt-router", add_completion=False, rich_markup_mode=None)
"""These two alone, called as they are among all others."""
short.command("serve")(serve)
short.command("demo")(demo)
