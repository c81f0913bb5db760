"""Writes a man page for srt-router and for each of its commands:  man_pages.py FOLDER"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import typer.main

from srt_router import __version__
from srt_router.cli.commands import app


def main(folder: Path) -> None:
    """One page for every command, named as `man` looks for it: srt-router-routes-list.1."""
    folder.mkdir(parents=True, exist_ok=True)
    for words, command in commands(typer.main.get_command(app), ("srt-router",)):
        (folder / f"{'-'.join(words)}.1").write_text(page(words, command), "utf-8")


def commands(command: Any, words: tuple[str, ...]) -> list[tuple[tuple[str, ...], Any]]:
    """This command and all below it, each with its words."""
    found = [(words, command)]
    for name, below in getattr(command, "commands", {}).items():
        found += commands(below, (*words, name))
    return found


def page(words: tuple[str, ...], command: Any) -> str:
    """The text of one page, for troff."""
    help_text = _paragraphs(command.help or "")
    summary = help_text[0].rstrip(".") if help_text else ""
    parameters = [one for one in command.params if not getattr(one, "hidden", False)]
    lines = [
        f'.TH "{"-".join(words).upper()}" "1" "" "srt-router {__version__}" "SRT Router"',
        ".SH NAME",
        _escaped(f"{'-'.join(words)} - {summary}"),
        ".SH SYNOPSIS",
        f".B {_escaped(' '.join(words))}",
        _escaped(_usage(command, parameters)),
        ".SH DESCRIPTION",
        "\n.PP\n".join(_escaped(paragraph) for paragraph in help_text),
    ]
    if below := getattr(command, "commands", {}):
        lines.append(".SH COMMANDS")
        for name, one in below.items():
            first = _paragraphs(one.help or "")
            lines += [".TP", f".B {_escaped(name)}", _escaped(first[0] if first else "")]
    if parameters:
        lines.append(".SH OPTIONS")
        for one in parameters:
            names = ", ".join(one.opts) if one.param_type_name == "option" else _name(one)
            lines += [".TP", f".B {_escaped(names)}", _escaped(getattr(one, "help", None) or "")]
    lines += [".SH EXIT STATUS", "0 done, 1 failed, 2 wrong usage.", ".SH SEE ALSO"]
    lines.append(".BR srt-router (1)," if len(words) > 1 else ".BR srt-live-transmit (1),")
    lines.append("/usr/share/doc/srt-router")
    return "\n".join(lines) + "\n"


def _usage(command: Any, parameters: list[Any]) -> str:
    arguments = " ".join(_name(one) for one in parameters if one.param_type_name == "argument")
    return " ".join(filter(None, ["[OPTIONS]", arguments, "COMMAND …" if hasattr(command, "commands") else ""]))


def _name(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper())


def _paragraphs(text: str) -> list[str]:
    return [" ".join(one.split()) for one in re.split(r"\n\s*\n", text.strip())]


def _escaped(text: str) -> str:
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + escaped if escaped.startswith((".", "'")) else escaped


if __name__ == "__main__":
    main(Path(sys.argv[1]))
