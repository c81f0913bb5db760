"""What a bench found: tables of figures, kept as JSON with the machine they were made on.

`python -m bench.document` puts them into docs/measurements.md.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

FOLDER = Path(__file__).parent / "figures"  # mypy takes a folder of this module's name for the module
Cell = str | float | int


@dataclass(frozen=True)
class Table:
    """Figures beside each other. Numbers are printed with as many digits as they deserve."""

    title: str
    columns: list[str]
    rows: list[list[Cell]]
    text: str = ""
    """What has to be known to read it, as Markdown; stands above the table."""


def spread(values: Sequence[float], digits: int = 1) -> str:
    """The median with the lowest and the highest: `4.9 (4.1 to 13.0)`."""
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{middle:,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})"


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many per cent of all do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def machine() -> str:
    """Processors, kernel and system, in a line."""
    release = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    return f"{os.cpu_count()} processors, Linux {platform.release()}, {release}, Python {platform.python_version()}"


def save(
    name: str,
    tables: Sequence[Table],
    *,
    command: str,
    plots: Sequence[str] = (),
    versions: dict[str, str] | None = None,
) -> None:
    """Keep what was found, in place of what was found before. `plots` are file names in docs/images/measurements."""
    FOLDER.mkdir(exist_ok=True)
    found = {
        "name": name,
        "command": command,
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "versions": versions or {},
        "plots": list(plots),
        "tables": [asdict(table) for table in tables],
    }
    temporary = FOLDER / f".{name}.tmp"
    temporary.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    temporary.rename(FOLDER / f"{name}.json")
