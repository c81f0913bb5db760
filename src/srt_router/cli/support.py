"""`srt-router support-bundle` and `srt-router completion`."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from typer.completion import get_completion_script  # type: ignore[attr-defined] # meant for this

from srt_router import support_bundle as bundle
from srt_router.cli import display
from srt_router.cli.desk import CommandFailed
from srt_router.cli.options import ConfigOption, read_settings

COMPLETE = "_SRT_ROUTER_COMPLETE"
"""The environment variable by which a shell asks for words."""


class Shell(StrEnum):
    """Shells whose words can be completed."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def support_bundle(
    config: ConfigOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to; else srt-router-support_TIME.tar.gz, here.")
    ] = None,
) -> None:
    """Collect what somebody needs who is to help, in one archive without secrets.

    Doctor, settings, routes, processes, the newest events, the ends of the logs, versions, kernel counters.
    Works without a server, too. What cannot be collected is told, and the rest is.
    """
    target = output or Path(f"srt-router-support_{time.strftime('%Y-%m-%dT%H-%M-%S', time.gmtime())}.tar.gz")
    try:
        troubles = bundle.write(read_settings(config), config, target)
    except OSError as error:
        raise CommandFailed(f"{target}: cannot be written: {error.strerror}") from error
    for trouble in troubles:
        display.note(f"not in it: {trouble}")
    print(f"{target}: look through it before it leaves this machine; passphrases and passwords are hidden")


def completion(shell: Annotated[Shell, typer.Argument(help="Which shell.")]) -> None:
    """Print the script that completes srt-router's words in a shell.

    For example: srt-router completion bash >/etc/bash_completion.d/srt-router
    """
    print(get_completion_script(prog_name="srt-router", complete_var=COMPLETE, shell=shell.value))
