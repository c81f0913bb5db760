"""`srt-router config`: are the settings right, and which ones count?"""

from __future__ import annotations

import os
from enum import Enum
from json import dumps as json_of
from pathlib import Path

import typer
from pydantic import SecretStr

from srt_router.api.tls import certificate
from srt_router.cli import display
from srt_router.cli.options import ConfigOption, JsonOption, read_settings
from srt_router.settings import PREFIX, Settings

config = typer.Typer(
    name="config", help="The settings: whether they are right, and which ones count.", no_args_is_help=True
)

_MASK = "**********"


@config.command("check")
def check(config: ConfigOption = None) -> None:
    """Check the file of settings and the environment, without a start: every key and value, and that the TLS files fit.

    Exit status: 0 the server would start with them, 1 it would not (one line names the key), 2 usage.
    """
    certificate(read_settings(config))
    print(f"{config or 'No file, the environment'}: the settings are valid")


@config.command("show")
def show(config: ConfigOption = None, json: JsonOption = False) -> None:
    """Print every setting that counts, and where it comes from: file, environment or default. Secrets are hidden."""
    settings = read_settings(config)
    found = {name.upper(): (_plain(value), _origin(name, settings)) for name, value in settings}
    if json:
        print(display.as_json({key: {"value": value, "from": origin} for key, (value, origin) in found.items()}))
        return
    for key, (value, origin) in found.items():
        print(f"{key} = {_toml(value)}  # {origin}")


def _origin(name: str, settings: Settings) -> str:
    if os.environ.get(PREFIX + name.upper()):
        return "environment"
    return "file" if name in settings.model_fields_set else "default"


def _plain(value: object) -> object:
    match value:
        case SecretStr():
            return _MASK
        case Path():
            return str(value)
        case Enum():
            return value.value
        case tuple():
            return [_plain(one) for one in value]
    return value


def _toml(value: object) -> str:
    if value is None:
        return "none"
    return json_of(value, ensure_ascii=False)
