"""Every command and option of `srt-router --help` is in the reference, and every one there exists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main

from srt_router.cli.commands import app
from tests.harness.cli import run

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "commands.md"


def commands(command: Any, name: str = "") -> dict[str, set[str]]:
    """The options of every command below this one; `routes list` is named so."""
    below = getattr(command, "commands", None)
    if below is None:
        options = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
        return {name: options - {"--help"}}
    found: dict[str, set[str]] = {}
    for word, one in below.items():
        found |= commands(one, f"{name} {word}".strip())
    return found


COMMANDS = commands(typer.main.get_command(app))


def section(command: str) -> str:
    """What the reference says of a command."""
    found = re.search(rf"^## {command}$(.*?)(?=^## |\Z)", REFERENCE.read_text(), re.MULTILINE | re.DOTALL)
    assert found, f"docs/reference/commands.md has no section '## {command}'"
    return found[1]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_in_the_reference(command: str) -> None:
    documented = set(re.findall(r"^\| `(--[a-z-]+)", section(command), re.MULTILINE))
    assert documented == COMMANDS[command]


def test_the_reference_names_no_command_that_is_not_there() -> None:
    assert set(re.findall(r"^## (.+)$", REFERENCE.read_text(), re.MULTILINE)) == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help(tmp_path: Path, command: str) -> None:
    done = run(tmp_path, *command.split(), "--help")
    assert done.returncode == 0
    assert not {option for option in COMMANDS[command] if option not in done.stdout}
    assert run(tmp_path, *command.split(), "--no-such-option").returncode == 2


def test_the_list_of_commands(tmp_path: Path) -> None:
    done = run(tmp_path, "--help")
    assert done.returncode == 0
    assert not {command for command in COMMANDS if command.split()[0] not in done.stdout}
    assert run(tmp_path, "no-such-command").returncode == 2
