"""JSON that a command is given: in a file, on standard input, or edited by the user there and then."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from json import JSONDecodeError, loads
from pathlib import Path
from typing import Annotated, Any

import typer

from srt_router.cli import display
from srt_router.cli.desk import CommandFailed

FileArgument = Annotated[
    str | None, typer.Argument(help="JSON file; - is standard input.", show_default=False, metavar="[FILE]")
]


def document(file: str) -> Any:
    """What is in a JSON file; `-` is standard input. Raises CommandFailed."""
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise CommandFailed(f"{file} cannot be read: {reason}") from error
    return parsed(text, file)


def parsed(text: str, name: str) -> Any:
    """What a JSON text says; `name` is where it stood. Raises CommandFailed."""
    try:
        return loads(text)
    except (JSONDecodeError, RecursionError) as error:
        raise CommandFailed(f"{name} is not JSON: {error}") from error


def edited(value: object, prefix: str) -> Any:
    """What the user makes of it in an editor ($VISUAL, $EDITOR, vi). Raises CommandFailed."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.NamedTemporaryFile("w+", prefix=prefix, suffix=".json", encoding="utf-8") as file:
        file.write(display.as_json(value) + "\n")
        file.flush()
        try:
            status = subprocess.run(["/bin/sh", "-c", f'{editor} "$0"', file.name], check=False).returncode
        except OSError as error:
            raise CommandFailed(f"the editor {editor} cannot be started: {error.strerror}") from error
        if status:
            raise CommandFailed(f"the editor {editor} ended with {status}: nothing was changed")
        return parsed(Path(file.name).read_text("utf-8"), "the edited text")
