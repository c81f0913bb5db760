"""Puts what the benches found into docs/measurements.md, each between its two marks:

python -m bench.document            <!-- bench:NAME --> … <!-- end:NAME -->
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from bench.results import FOLDER, Cell

DOCUMENT = Path(__file__).parents[1] / "docs/measurements.md"
_MARKED = re.compile(r"(<!-- bench:(?P<name>[\w-]+) -->\n).*?(<!-- end:(?P=name) -->)", re.DOTALL)
_DIGITS = 3


def main() -> None:
    """Write the document anew where it is marked."""
    DOCUMENT.write_text(filled(DOCUMENT.read_text()))


def filled(document: str) -> str:
    """The document with what was found between its marks; a bench that never ran leaves what is there."""

    def fill(found: re.Match[str]) -> str:
        file = FOLDER / f"{found['name']}.json"
        if not file.exists():
            return found[0]
        return f"{found[1]}{section(json.loads(file.read_text()))}\n{found[3]}"

    return _MARKED.sub(fill, document)


def section(found: dict[str, Any]) -> str:
    """One bench as Markdown."""
    parts = [f"`{found['command']}`, {found['date']}. {found['machine']}.{_versions(found['versions'])}"]
    for each in found["tables"]:
        parts.append(f"**{each['title']}**")
        if each["text"]:
            parts.append(each["text"])
        if each["rows"]:
            head = ["| " + " | ".join(each["columns"]) + " |", "|" + " --- |" * len(each["columns"])]
            parts.append("\n".join([*head, *("| " + " | ".join(map(_cell, row)) + " |" for row in each["rows"])]))
    parts += [f"![{Path(plot).stem.replace('-', ' ')}](images/measurements/{plot})" for plot in found["plots"]]
    return "\n\n".join(parts)


def _versions(versions: dict[str, str]) -> str:
    return f" {', '.join(f'{name} {version}' for name, version in versions.items())}." if versions else ""


def _cell(value: Cell) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 10**_DIGITS else f"{value:.{_DIGITS}g}"
    return f"{value:,}" if isinstance(value, int) else value.replace("|", "\\|")


if __name__ == "__main__":
    main()
