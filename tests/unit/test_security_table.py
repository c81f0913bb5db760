"""Every attack in docs/security.md names a test, and that test is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROW = re.compile(
    r"^\| (?P<attack>[^|*]+) \| (?P<outcome>[^|]+) \| `(?P<file>tests/[\w/]+\.py)::(?P<test>test_\w+)` \|$"
)
LEAST = 30


def rows() -> list[re.Match[str]]:
    table = (ROOT / "docs" / "security.md").read_text("utf-8").partition("| attack |")[2].partition("\n\n")[0]
    lines = [line for line in table.splitlines()[2:] if not line.startswith("| **")]
    found = [ROW.match(line) for line in lines]
    assert None not in found, [line for line, row in zip(lines, found, strict=True) if row is None]
    return [row for row in found if row is not None]


@cache
def defined_in(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_every_attack_is_tried() -> None:
    missing = [row["test"] for row in rows() if row["test"] not in defined_in(row["file"])]
    assert missing == []
    assert len(rows()) >= LEAST


def test_every_attack_that_is_tried_is_told() -> None:
    told = {(row["file"], row["test"]) for row in rows()}
    tried = {
        (str(file.relative_to(ROOT)), name)
        for file in (ROOT / "tests" / "api").glob("test_attacks*.py")
        for name in defined_in(str(file.relative_to(ROOT)))
        if name.startswith("test_")
    }
    assert tried - told == set()
