"""How figures and lines are written for people."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence


def memory(size: int | None) -> str:
    """`7.4 MB`."""
    return "-" if size is None else f"{size / 1e6:.1f} MB"


def percent(value: float | None) -> str:
    """`1.0`."""
    return "-" if value is None else f"{value:.1f}"


def duration(seconds: float | None) -> str:
    """`42s`, `5m03s`, `2h05m`, `12d04h`."""
    if seconds is None:
        return "-"
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole // 60 % 60:02d}m"
    return f"{whole // 86400}d{whole // 3600 % 24:02d}h"


def cut(text: str, width: int) -> str:
    """`text`, with `...` in the place of what does not fit."""
    clean = "".join(char if char.isprintable() else "?" for char in text)
    return clean if len(clean) <= width else clean[: max(0, width - 3)] + "..."


def line_width() -> int:
    """Characters of a line: those of the terminal; where there is none, as many as there are."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 1_000_000


def as_json(value: object) -> str:
    """JSON for scripts, readable for people."""
    return json.dumps(value, ensure_ascii=False, indent=2)


def note(text: str) -> None:
    """A remark beside the result: standard error, so that scripts read the result alone."""
    print(f"srt-router: {text}", file=sys.stderr)


def columns(rows: Sequence[tuple[str, ...]]) -> str:
    """A table without lines, the first row its heading."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    cells = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows]
    return "\n".join(cut("  ".join(row).rstrip(), line_width()) for row in cells)
