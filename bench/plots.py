"""Pictures of measurements, in docs/images/measurements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FOLDER = Path(__file__).parents[1] / "docs/images/measurements"
_SIZE_INCHES = (8.0, 4.5)
_DOTS_PER_INCH = 110


def lines(  # noqa: PLR0913 - what a picture says
    stem: str,
    title: str,
    x_label: str,
    y_label: str,
    series: Mapping[str, Sequence[tuple[float, float]]],
    *,
    log_x: bool = False,
    log_y: bool = False,
) -> str:
    """One curve for each series. Returns the file's name."""
    figure, axes = _sheet(title, y_label)
    for (name, points), marker in zip(series.items(), "osD^vP*X<>" * 3, strict=False):
        axes.plot([x for x, _ in points], [y for _, y in points], marker=marker, markersize=4, label=name)
    axes.set_xlabel(x_label)
    if log_x:
        axes.set_xscale("log")
    if log_y:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    return _write(figure, stem)


def bars(stem: str, title: str, y_label: str, groups: Mapping[str, Mapping[str, float]], *, log_y: bool = False) -> str:
    """A group of bars for each measurement, a bar for each system. Returns the file's name."""
    figure, axes = _sheet(title, y_label)
    systems = list(dict.fromkeys(system for group in groups.values() for system in group))
    width = 0.8 / max(1, len(systems))
    for number, system in enumerate(systems):
        known = [(at, group[system]) for at, group in enumerate(groups.values()) if system in group]
        drawn = axes.bar(
            [at - 0.4 + width * (number + 0.5) for at, _ in known], [value for _, value in known], width, label=system
        )
        axes.bar_label(drawn, fmt="%.3g", fontsize=7)
    axes.set_xticks(range(len(groups)), list(groups))
    if log_y:
        axes.set_yscale("log")
    axes.legend(frameon=False, fontsize=8)
    return _write(figure, stem)


def _sheet(title: str, y_label: str) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure  # half a second to import: not for benches that draw nothing

    figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
    axes = figure.subplots()
    axes.set_title(title, loc="left")
    axes.set_ylabel(y_label)
    axes.grid(visible=True, axis="y", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _write(figure: Figure, stem: str) -> str:
    FOLDER.mkdir(parents=True, exist_ok=True)
    figure.savefig(FOLDER / f"{stem}.png", dpi=_DOTS_PER_INCH, metadata={"Software": None})
    return f"{stem}.png"
