"""Transcodes to begin with, by name: those that are built in, and the shape of the operator's own.

A route that names a preset gets a copy of its transcode there and then: what becomes of the preset later is nothing
to the route.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import ConfigDict, ValidationError

from srt_router.errors import SrtRouterError
from srt_router.routes.errors import FieldError
from srt_router.routes.fields import Label, Line
from srt_router.routes.model import part_to_json
from srt_router.routes.parsing import field_errors
from srt_router.routes.srt_options import Model, to_camel
from srt_router.routes.transcode import Transcode


@dataclass(frozen=True, slots=True)
class Preset:
    """A transcode to begin with."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(alias_generator=to_camel)

    id: str
    """For programs; of one that is built in: its name."""
    name: str
    """What routes choose it by."""
    description: str
    """For people: what it is for."""
    transcode: dict[str, Any]
    """In the shape in which it stands in routes.json."""
    built_in: bool = False
    """It comes with SRT Router, and cannot be changed or removed."""


class PresetInput(Model):
    """A preset of the operator's own, as a client sends it."""

    name: Label
    """What routes choose it by; no other preset is called so, in capitals or not."""
    description: Line = ""
    """For people: what it is for."""
    transcode: Transcode


class PresetInvalid(SrtRouterError):  # noqa: N818 - said as it is
    """A preset that must not be accepted. `errors` says why, field by field."""

    code = "presetInvalid"

    def __init__(self, errors: tuple[FieldError, ...]) -> None:
        self.errors = errors
        super().__init__("; ".join(map(str, errors[:5])))


def parse_preset(data: object, preset_id: str) -> Preset:
    """Return the operator's own preset that a JSON object describes. Raises PresetInvalid."""
    try:
        found = PresetInput.model_validate(data, by_alias=True, by_name=False)
    except ValidationError as error:
        raise PresetInvalid(field_errors(error, PresetInput)) from None
    return Preset(preset_id, found.name, found.description, part_to_json(found.transcode))


_AAC = {"codec": "aac", "bitrateKbps": 128}
_MP2 = {"codec": "mp2", "bitrateKbps": 256}


def _h264(bitrate_kbps: int, width: int | None = None, height: int | None = None, **more: object) -> dict[str, Any]:
    size = {} if width is None else {"width": width, "height": height}
    return {"codec": "h264", "bitrateKbps": bitrate_kbps, **size, **more}


def _built_in(name: str, description: str, transcode: dict[str, Any]) -> Preset:
    return Preset(name, name, description, transcode, built_in=True)


PRESETS = (
    _built_in("h264-360p-800k", "preview over a thin line", {"video": _h264(800, 640, 360), "audio": _AAC}),
    _built_in("h264-540p-1.5M", "mobile viewers", {"video": _h264(1500, 960, 540), "audio": _AAC}),
    _built_in("h264-720p-3M", "web and mobile viewers", {"video": _h264(3000, 1280, 720), "audio": _AAC}),
    _built_in("h264-1080p-6M", "web viewers in full HD", {"video": _h264(6000, 1920, 1080), "audio": _AAC}),
    _built_in(
        "hevc-1080p-4M",
        "full HD at two thirds of the bit rate, for about twice the work",
        {"video": {"codec": "hevc", "bitrateKbps": 4000, "width": 1920, "height": 1080}, "audio": _AAC},
    ),
    _built_in(
        "deinterlace-1080i",
        "1080i25 to 1080p50: every field becomes a frame",
        {"video": _h264(8000, deinterlace="field", gopFrames=100), "audio": "copy"},
    ),
    _built_in(
        "h264-1080i-to-720p50",
        "1080i25 to 720p50",
        {"video": _h264(5000, 1280, 720, deinterlace="field", gopFrames=100), "audio": _AAC},
    ),
    _built_in(
        "contribution-1080p-15M",
        "between studios: high bit rate, constant rate of the whole stream",
        {"video": _h264(15000, profile="high", preset="fast"), "audio": _MP2, "muxrateKbps": 17000},
    ),
    _built_in(
        "audio-to-mp2", "picture untouched, sound as receivers of DVB expect it", {"video": "copy", "audio": _MP2}
    ),
    _built_in("audio-to-aac", "picture untouched, sound as the web expects it", {"video": "copy", "audio": _AAC}),
    _built_in(
        "audio-swap-channels",
        "picture untouched, left and right exchanged",
        {
            "video": "copy",
            "audio": {**_MP2, "matrix": [{"output": 1, "input": 2}, {"output": 2, "input": 1}]},
        },
    ),
    _built_in(
        "audio-mono-to-both",
        "picture untouched, the first channel on both sides",
        {
            "video": "copy",
            "audio": {**_MP2, "matrix": [{"output": 1, "input": 1}, {"output": 2, "input": 1}]},
        },
    ),
    _built_in("remux", "nothing is encoded: a clean stream with fresh tables", {"video": "copy", "audio": "copy"}),
)
