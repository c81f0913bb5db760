"""The `srt-router` command: where it begins, and how it ends."""

from __future__ import annotations

import io
import os
import sys

from srt_router.cli.serving import short
from srt_router.errors import SrtRouterError


def main() -> None:
    """Entry point: exit status 0 done, 1 failed, 2 usage."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without UTF-8 is no reason to fail
    try:
        if sys.argv[1:2] in (["serve"], ["demo"]):
            short()
        else:
            _any_command()
    except SrtRouterError as error:
        print(f"srt-router: {error}", file=sys.stderr)
        sys.exit(1)


def _any_command() -> None:
    from srt_router.cli.commands import app  # a server has no use of most of them, and they take long to load
    from srt_router.cli.support import COMPLETE

    if COMPLETE in os.environ:  # a shell asks which words may follow
        from typer.completion import completion_init  # type: ignore[attr-defined] # meant for this

        completion_init()
    app()
