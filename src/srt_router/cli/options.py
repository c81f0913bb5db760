"""Options that several commands take, and what becomes of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from srt_router.settings import CONFIG, Settings, load_settings

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", envvar=CONFIG, help="TOML file with settings; SRT_ROUTER_<KEY> in the environment wins."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def read_settings(config: Path | None) -> Settings:
    """The settings. Raises SettingsError with one line that names the key."""
    return load_settings(config, os.environ)
