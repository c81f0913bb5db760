"""Writes src/srt_router/client/answers.py: the types of what the HTTP API answers, out of its OpenAPI document."""

from __future__ import annotations

import keyword
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # when a test loads this file

from openapi import document

Json = dict[str, Any]

TARGET = Path(__file__).resolve().parents[1] / "src" / "srt_router" / "client" / "answers.py"
HEAD = '''"""What the HTTP API answers, as types. Made by scripts/client_types.py: do not edit.

A server of another version may answer with fields that are not here.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict
'''
_REF = "#/components/schemas/"
_PLAIN = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}


def answers(spec: Json) -> str:
    """The module's text."""
    schemas = spec["components"]["schemas"]
    names = sorted(_reachable(spec, schemas))
    plain = [name for name in names if "enum" in schemas[name]]
    objects = [name for name in names if name not in plain]
    enums = [_enum(name, schemas[name]) for name in plain]
    text = "\n\n".join([HEAD.strip(), *enums, *(_class(name, schemas[name]) for name in objects)]) + "\n"
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(TARGET), "-"],
        input=text, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def _reachable(spec: Json, schemas: Json) -> set[str]:
    """What good answers are made of."""
    waiting = [
        answer
        for methods in spec["paths"].values()
        for operation in methods.values()
        for status, answer in operation["responses"].items()
        if status.startswith("2")
    ]
    found: set[str] = set()
    while waiting:
        for name in _named(waiting.pop()):
            if name not in found:
                found.add(name)
                waiting.append(schemas[name])
    return found


def _named(value: object) -> list[str]:
    if isinstance(value, list):
        return [name for one in value for name in _named(one)]
    if not isinstance(value, dict):
        return []
    own = [value["$ref"].removeprefix(_REF)] if isinstance(value.get("$ref"), str) else []
    return own + [name for key, one in value.items() if key != "mapping" for name in _named(one)]


def _enum(name: str, schema: Json) -> str:
    return f"{name} = Literal[{', '.join(map(repr, schema['enum']))}]\n{_text(name, schema)}"


def _class(name: str, schema: Json) -> str:
    fields = {key: _field(key, one, schema) for key, one in schema.get("properties", {}).items()}
    if any(keyword.iskeyword(key) for key in fields):
        inner = ", ".join(f"{key!r}: {kind!r}" for key, kind in fields.items())
        return f"{name} = TypedDict({name!r}, {{{inner}}})\n{_text(name, schema)}"
    lines = [f"    {key}: {kind}" for key, kind in fields.items()]
    return "\n".join([f"class {name}(TypedDict):", f"    {_text(name, schema)}", "", *lines])


def _field(name: str, schema: Json, owner: Json) -> str:
    kind = _kind(schema)
    # what may be left out is what is not known: everything else is always answered, made by a default or not
    always = name in owner.get("required", ()) or "default" in schema or not kind.endswith("None")
    return kind if always else f"NotRequired[{kind}]"


def _kind(schema: Json) -> str:
    if "$ref" in schema:
        return str(schema["$ref"].removeprefix(_REF))
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " | ".join(dict.fromkeys(_kind(one) for one in schema[several]))
    if "const" in schema:
        return f"Literal[{schema['const']!r}]"
    if "enum" in schema:
        return f"Literal[{', '.join(map(repr, schema['enum']))}]"
    match schema.get("type"):
        case "array":
            return f"list[{_kind(schema.get('items', {}))}]"
        case "object":
            inner = schema.get("additionalProperties", True)
            return f"dict[str, {_kind(inner) if isinstance(inner, dict) else 'Any'}]"
        case str() as plain:
            return _PLAIN[plain]
    return "Any"


def _text(name: str, schema: Json) -> str:
    words = str(schema.get("description", "")).strip().split("\n\n")[0].replace("\n", " ") or f"{name}."
    return f'"""{words}"""'


if __name__ == "__main__":
    TARGET.write_text(answers(document()), encoding="utf-8")
