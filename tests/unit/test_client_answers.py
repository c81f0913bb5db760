"""The types of the client library are those of the API."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def test_the_types_of_answers_are_up_to_date() -> None:
    script: dict[str, Any] = runpy.run_path(str(ROOT / "scripts" / "client_types.py"))
    made = script["answers"](script["document"]())
    assert made == script["TARGET"].read_text("utf-8"), "run: python scripts/client_types.py"


def test_each_schema_becomes_the_type_that_it_means() -> None:
    kind = runpy.run_path(str(ROOT / "scripts" / "client_types.py"))["_kind"]
    assert kind({"$ref": "#/components/schemas/Route"}) == "Route"
    assert kind({"anyOf": [{"type": "integer"}, {"type": "null"}]}) == "int | None"
    assert kind({"type": "array", "items": {"type": "string"}}) == "list[str]"
    assert kind({"type": "object", "additionalProperties": {"type": "number"}}) == "dict[str, float]"
    assert kind({"type": "object"}) == "dict[str, Any]"
    assert kind({"const": "srt"}) == "Literal['srt']"
    assert kind({"enum": ["a", "b"]}) == "Literal['a', 'b']"
    assert kind({}) == "Any"
