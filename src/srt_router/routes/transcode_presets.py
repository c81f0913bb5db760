"""Transcodes for the common cases, in the shape in which they stand in routes.json."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Preset:
    """A transcode to begin with."""

    name: str
    purpose: str
    """For people: what it is for."""
    transcode: dict[str, Any]


_AAC = {"codec": "aac", "bitrateKbps": 128}
_MP2 = {"codec": "mp2", "bitrateKbps": 256}


def _h264(bitrate_kbps: int, width: int | None = None, height: int | None = None, **more: object) -> dict[str, Any]:
    size = {} if width is None else {"width": width, "height": height}
    return {"codec": "h264", "bitrateKbps": bitrate_kbps, **size, **more}


PRESETS = (
    Preset("h264-360p-800k", "preview over a thin line", {"video": _h264(800, 640, 360), "audio": _AAC}),
    Preset("h264-540p-1.5M", "mobile viewers", {"video": _h264(1500, 960, 540), "audio": _AAC}),
    Preset("h264-720p-3M", "web and mobile viewers", {"video": _h264(3000, 1280, 720), "audio": _AAC}),
    Preset("h264-1080p-6M", "web viewers in full HD", {"video": _h264(6000, 1920, 1080), "audio": _AAC}),
    Preset(
        "hevc-1080p-4M",
        "full HD at two thirds of the bit rate, for about twice the work",
        {"video": {"codec": "hevc", "bitrateKbps": 4000, "width": 1920, "height": 1080}, "audio": _AAC},
    ),
    Preset(
        "deinterlace-1080i",
        "1080i25 to 1080p50: every field becomes a frame",
        {"video": _h264(8000, deinterlace="field", gopFrames=100), "audio": "copy"},
    ),
    Preset(
        "h264-1080i-to-720p50",
        "1080i25 to 720p50",
        {"video": _h264(5000, 1280, 720, deinterlace="field", gopFrames=100), "audio": _AAC},
    ),
    Preset(
        "contribution-1080p-15M",
        "between studios: high bit rate, constant rate of the whole stream",
        {"video": _h264(15000, profile="high", preset="fast"), "audio": _MP2, "muxrateKbps": 17000},
    ),
    Preset("audio-to-mp2", "picture untouched, sound as receivers of DVB expect it", {"video": "copy", "audio": _MP2}),
    Preset("audio-to-aac", "picture untouched, sound as the web expects it", {"video": "copy", "audio": _AAC}),
    Preset(
        "audio-swap-channels",
        "picture untouched, left and right exchanged",
        {
            "video": "copy",
            "audio": {**_MP2, "matrix": [{"output": 1, "input": 2}, {"output": 2, "input": 1}]},
        },
    ),
    Preset(
        "audio-mono-to-both",
        "picture untouched, the first channel on both sides",
        {
            "video": "copy",
            "audio": {**_MP2, "matrix": [{"output": 1, "input": 1}, {"output": 2, "input": 1}]},
        },
    ),
    Preset("remux", "nothing is encoded: a clean stream with fresh tables", {"video": "copy", "audio": "copy"}),
)
