"""What a delivered Mb/s costs, what is lost and how late it comes: one SRT source to many SRT destinations.

    bench/run data_path [-- --quick | --full]

Our server beside a GStreamer pipeline, one ffmpeg with the tee muxer, and srt-live-transmit started by hand, with real
H.264 streams whose key frames burst. Then one destination's client comes late, leaves and comes back: what do the
others lose? Then the duplicator beside socat, GStreamer and the kernel. Runs in namespaces of its own.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench import data_path_leaving, data_path_tables, duplicator_peers, peers, results
from bench.data_path_run import SECONDS, Found, run
from bench.data_path_systems import PACKAGES, SYSTEMS, VARIANTS, ByHand, ByHandStock, Router, System
from tests.harness.isolate import is_isolated
from tests.media import generate
from tests.media.generate import FULL_HD_20_MBPS, HD_6_MBPS, Picture

_PICTURES = {2: Picture("640x360", 2, 10), 6: HD_6_MBPS, 20: FULL_HD_20_MBPS, 50: Picture("1920x1080", 50, 25)}
_COUNTS = (1, 4, 16)
_DEFAULT = [(2, 4), (6, 1), (6, 4), (6, 16), (20, 4), (50, 4)]
_GOAL = 1.5
"""So many times what the bare tools cost, at most, where a route carries 20 Mb/s or more in all."""
_GOAL_FROM_MBPS = 20


def main() -> int:
    """Measure; 1 when something was lost that must not be, or costs more than it may."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="one rate and one number of destinations")
    options.add_argument("--full", action="store_true", help="every rate with every number of destinations")
    options.add_argument("--only", choices=("carrying", "leaving", "duplicator"), help="one part; keeps no figures")
    chosen = options.parse_args()
    peers.debian(*PACKAGES)
    peers.debian(*duplicator_peers.PACKAGES)
    if not is_isolated():
        command = [sys.executable, "tests/harness/isolate.py", sys.executable, "-m", "bench.data_path", *sys.argv[1:]]
        return subprocess.run(command, check=False).returncode
    points = [(6, 4)] if chosen.quick else _DEFAULT
    if chosen.full:
        points = [(mbps, count) for mbps in _PICTURES for count in _COUNTS]
    parts: dict[str, Callable[[], tuple[list[results.Table], list[str], list[str]]]] = {
        "carrying": lambda: _carrying(points),
        "leaving": lambda: _leaving(quick=chosen.quick),
        "duplicator": lambda: duplicator_peers.measure(quick=chosen.quick),
    }
    tables: list[results.Table] = []
    plots: list[str] = []
    missed: list[str] = []
    for name, part in parts.items():
        if chosen.only in (None, name):
            more, drawn, failed = part()
            tables, plots, missed = tables + more, plots + drawn, missed + failed
    for table in tables:
        print(data_path_tables.as_text(table))
    for goal in missed:
        print(f"missed: {goal}", file=sys.stderr)
    if not (chosen.quick or chosen.only):
        again = "bench/run data_path" + (" -- --full" if chosen.full else "")
        results.save("data_path", tables, command=again, plots=plots, versions=_versions())
    return 1 if missed else 0


def _carrying(points: list[tuple[int, int]]) -> tuple[list[results.Table], list[str], list[str]]:
    found = [_one(kind, mbps, count) for mbps, count in points for kind in SYSTEMS]
    variants = [_one(kind, 6, 4) for kind in (VARIANTS if len(points) > 1 else [ByHandStock])]
    missed = [f"{one.system} at {one.mbps} Mb/s x {one.destinations}: {one.cannot}" for one in found if _failed(one)]
    lossy = next(one for one in variants if one.system == ByHandStock.name)
    if not lossy.pictures_lost:
        missed.append("the counterproof: default buffers lose pictures, and this bench did not find one")
    for mbps, count in points:
        missed += _judged([one for one in found if (one.mbps, one.destinations) == (mbps, count)])
    tables = [
        data_path_tables.carrying(found),
        data_path_tables.losing(found, variants),
        data_path_tables.profile(found),
    ]
    return tables, data_path_tables.drawn(found) if len(points) > 1 else [], missed


def _failed(one: Found) -> bool:
    return bool(one.cannot) and one.system == Router.name


def _judged(same: list[Found]) -> list[str]:
    """What of ours is not as it must be, beside the bare tools in the same run. A full machine proves nothing."""
    by_name = {one.system: one for one in same}
    ours, bare = by_name[Router.name], by_name[ByHand.name]
    where = f"{ours.mbps} Mb/s x {ours.destinations}"
    if ours.cannot or ours.busy_percent > data_path_tables.FULL_PERCENT:
        return []
    missed = []
    if ours.pictures_lost or ours.missing_bytes or ours.continuity_errors:
        missed.append(f"{where}: {ours.pictures_lost} pictures and {ours.missing_bytes} bytes were lost")
    enough = ours.mbps * ours.destinations >= _GOAL_FROM_MBPS
    if enough and not bare.cannot and ours.median_cost > _GOAL * bare.median_cost:
        missed.append(f"{where}: {ours.median_cost / bare.median_cost:.2f} times the processor time of the bare tools")
    return missed


def _one(kind: type[System], mbps: int, count: int) -> Found:
    stream = _stream(mbps, SECONDS + kind.looks_s)
    with tempfile.TemporaryDirectory(prefix="data-path-") as folder:
        found = run(kind, stream, mbps, count, Path(folder))
    _say(f"{found.system}, {mbps} Mb/s to {count}: {data_path_tables.summary(found)}")
    return found


def _leaving(*, quick: bool) -> tuple[list[results.Table], list[str], list[str]]:
    kinds = [Router] if quick else [*SYSTEMS, *VARIANTS[1:]]
    found, missed = [], []
    for kind in kinds:
        with tempfile.TemporaryDirectory(prefix="data-path-") as folder:
            stream = _stream(6, data_path_leaving.SECONDS + kind.looks_s)
            one = data_path_leaving.run(kind, stream, Path(folder))
        _say(f"{one.system}: {one}")
        found.append(one)
    ours = found[0]
    if ours.cannot or ours.others_lost or ours.source_cut or ours.others_cut or ours.back_s is None:
        missed.append(f"a destination's client that leaves disturbs the others: {ours}")
    return [data_path_leaving.table(found)], [], missed


def _stream(mbps: int, seconds: int) -> Path:
    """Made once: a scratch folder outlives the namespace."""
    folder = peers.SCRATCH / "streams"
    folder.mkdir(parents=True, exist_ok=True)
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        return generate.make(_PICTURES[mbps], seconds)
    finally:
        tempfile.tempdir = before


def _versions() -> dict[str, str]:
    root = peers.debian(*PACKAGES)
    gstreamer = [str(root / "usr/bin/gst-launch-1.0"), "--version"]
    words = {
        "ffmpeg": _first_line(["ffmpeg", "-version"]).split()[2],
        "srt-live-transmit": _first_line(["srt-live-transmit", "-version"]).split()[-1],
        "GStreamer": _first_line(gstreamer, root).split()[-1],
        "socat": duplicator_peers.version(),
    }
    assert shutil.which("ffmpeg"), "ffmpeg is there: setup.sh sees to it"
    return words


def _first_line(command: list[str], root: Path | None = None) -> str:
    environment = peers.environment(root) if root else None
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return next(line for line in (done.stdout + done.stderr).splitlines() if any(letter.isdigit() for letter in line))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
