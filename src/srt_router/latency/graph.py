"""The measurement as a picture: how many of the packets took how long, without what SRT holds on purpose."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import log10

from srt_router.latency.measurement import Path

_WIDTH, _HEIGHT, _LEFT, _TOP, _LINE = 860, 420, 70, 50, 22
_COLOURS = ("#1f6feb", "#2da44e", "#bf8700", "#cf222e")
_POINTS = 200


def svg(paths: Sequence[Path]) -> str:
    """One curve for each path: the share of packets that took at most so many milliseconds, on a logarithmic scale."""
    most = max(max(path.times_ms) - path.srt_ms for path in paths)
    decades = _decades(most)
    width, height = _WIDTH + _LEFT + 30, _HEIGHT + _TOP + 60
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">',
        "<style>text { font-size: 13px }</style>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{_LEFT}" y="24" style="font-size: 16px">What the router adds, without the latency of SRT</text>',
    ]
    for decade in range(decades + 1):
        x = _x(10 ** (decade - 2), decades)
        label = f"{10 ** (decade - 2):g}"
        lines.append(f'<line x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{_TOP + _HEIGHT}" stroke="#ddd"/>')
        lines.append(f'<text x="{x:.1f}" y="{_TOP + _HEIGHT + 18}" text-anchor="middle">{label} ms</text>')
    for percent in (0, 25, 50, 75, 99):
        y = _TOP + _HEIGHT * (1 - percent / 100)
        lines.append(f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{_LEFT + _WIDTH}" y2="{y:.1f}" stroke="#ddd"/>')
        lines.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{percent} %</text>')
    for index, path in enumerate(paths):
        colour = _COLOURS[index % len(_COLOURS)]
        lines.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{_curve(path, decades)}"/>')
        x, y = _LEFT + _WIDTH * 0.52, _TOP + _HEIGHT - _LINE * (len(paths) - index)
        lines.append(f'<rect x="{x:.0f}" y="{y - 10}" width="14" height="10" fill="{colour}"/>')
        lines.append(f'<text x="{x + 20:.0f}" y="{y}">{escape(path.name)}</text>')
    return "\n".join([*lines, "</svg>\n"])


def _decades(most_ms: float) -> int:
    decades = 1
    while 10 ** (decades - 2) < most_ms:
        decades += 1
    return decades


def _x(milliseconds: float, decades: int) -> float:
    position = (log10(max(0.01, milliseconds)) + 2) / decades
    return _LEFT + _WIDTH * min(1.0, max(0.0, position))


def _curve(path: Path, decades: int) -> str:
    ordered = sorted(path.times_ms)
    step = max(1, len(ordered) // _POINTS)
    points = [
        (ordered[at] - path.srt_ms, (at + 1) / len(ordered)) for at in [*range(0, len(ordered), step), len(ordered) - 1]
    ]
    return " ".join(f"{_x(ms, decades):.1f},{_TOP + _HEIGHT * (1 - share):.1f}" for ms, share in points)
