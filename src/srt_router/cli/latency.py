"""`srt-router latency`: what the router adds on this very machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from srt_router.cli import display
from srt_router.cli.options import JsonOption
from srt_router.latency.graph import svg
from srt_router.latency.measurement import Wanted, measure
from srt_router.latency.router import router
from srt_router.routes.transcode_presets import PRESETS

_HEADING = ("PATH", "PACKETS", "LOST", "TOTAL P50", "TOTAL P99", "SRT HOLDS", "ADDED P50", "ADDED P99", "ADDED MAX")


def latency(  # noqa: PLR0913 - one parameter for each option
    latency_ms: Annotated[
        int, typer.Option("--latency", min=20, max=8000, help="Latency of each SRT leg, in ms.")
    ] = 120,
    mbps: Annotated[float, typer.Option("--mbps", min=0.1, max=200, help="How much flows.")] = 6.0,
    seconds: Annotated[float, typer.Option("--seconds", min=1, max=600, help="How long each path is measured.")] = 10.0,
    transcode: Annotated[str, typer.Option("--transcode", help="Preset of the transcode that is measured; none.")] = (
        "h264-360p-800k"
    ),
    graph: Annotated[Path | None, typer.Option("--graph", help="Write the curves there, as SVG.")] = None,
    json: JsonOption = False,
) -> None:
    """Measure what the router adds to the latency of a stream, on this machine, as loaded as it is.

    Starts a router of its own for half a minute, with other folders and ports; routes on air are not touched, but for
    the processor that it takes. Marked packets go in by UDP and come out behind the bus, behind one SRT leg, and behind
    two; what SRT holds on purpose (the latency of each leg) is told apart. Through a transcode, marked pictures.
    """
    chosen = {preset.name: preset.transcode for preset in PRESETS}
    if transcode != "none" and transcode not in chosen:
        raise typer.BadParameter(f"{transcode!r} is none of {', '.join(chosen)}, none", param_hint="--transcode")
    with router() as client:
        wanted = Wanted(latency_ms, mbps, seconds, chosen.get(transcode))
        paths = measure(client, wanted)
    found = [path.to_json() for path in paths]
    if graph:
        graph.write_text(svg(paths), "utf-8")
    if json:
        print(display.as_json({"mbps": mbps, "seconds": seconds, "cores": os.cpu_count(), "paths": found}))
        return
    rows = [_HEADING]
    for one in found:
        times = [one["totalMs"]["p50"], one["totalMs"]["p99"], one["srtLatencyMs"], *one["addedMs"].values()]
        lost = "-" if one["lost"] is None else str(one["lost"])
        rows.append((one["path"], str(one["samples"]), lost, *(f"{value:.2f} ms" for value in times)))
    print(display.columns(rows))
