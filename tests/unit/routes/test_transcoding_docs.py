"""docs/transcoding.md against the models: every field, its range, its words, its default, and every preset."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from srt_router.routes.fields import Whole
from srt_router.routes.srt_options import to_camel
from srt_router.routes.transcode import MAX_MATRIX, AudioEncode, MatrixCell, Transcode, VideoEncode
from srt_router.routes.transcode_presets import PRESETS

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "transcoding.md").read_text()
SECTIONS: dict[str, type[BaseModel]] = {
    "Transcode": Transcode,
    "Video": VideoEncode,
    "Audio": AudioEncode,
    "Audio matrix": MatrixCell,
}
FIELDS = [(heading, name, field) for heading, model in SECTIONS.items() for name, field in model.model_fields.items()]


def rows(heading: str) -> dict[str, str]:
    """The rows of a section's table, by the name in their first column."""
    found = re.search(rf"^## {heading}$(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, heading
    return {name: row for row, name in re.findall(r"^(\| `([^`]+)` \|.*)$", found[1], re.MULTILINE)}


def words(annotation: object, metadata: typing.Sequence[object]) -> Iterator[str]:
    """What a row must say of a field's type: the ends and the unit of its range, the words that it allows."""
    for one in (annotation, *metadata):
        if isinstance(one, Whole):
            yield from (str(one.low), str(one.high), one.unit)
        elif typing.get_origin(one) is typing.Literal:
            yield from (f'"{word}"' for word in typing.get_args(one))
        else:
            for inner in typing.get_args(one):
                yield from words(inner, ())


@pytest.mark.parametrize("heading", SECTIONS)
def test_a_section_has_exactly_the_fields_of_its_model(heading: str) -> None:
    assert set(rows(heading)) == {to_camel(name) for name in SECTIONS[heading].model_fields}


@pytest.mark.parametrize(
    ("heading", "name", "field"), FIELDS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_row_has_range_words_and_default(heading: str, name: str, field: FieldInfo) -> None:
    row = rows(heading)[to_camel(name)]
    assert [word for word in words(field.annotation, field.metadata) if word not in row] == []
    if field.is_required():
        assert "required" in row
    elif isinstance(field.default, str):
        assert f'| `"{field.default}"` |' in row
    elif isinstance(field.default, int | float):
        assert f"| {field.default:g} |" in row


def test_every_preset_is_named() -> None:
    assert {name: row.split("|")[2].strip() for name, row in rows("Presets").items()} == {
        preset.name: preset.description for preset in PRESETS
    }


def test_the_longest_matrix() -> None:
    assert f"up to {MAX_MATRIX} crossings" in rows("Audio")["matrix"]
