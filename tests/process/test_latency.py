"""`srt-router latency`, with real routes: what it says can be true, and it leaves nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.harness.cli import run
from tests.harness.processes import media


@pytest.mark.long
def test_the_latency_of_this_machine(tmp_path: Path) -> None:
    graph = tmp_path / "latency.svg"
    done = run(tmp_path, "latency", "--seconds", "4", "--latency", "60", "--graph", str(graph), "--json")
    assert done.returncode == 0, done.stderr
    paths = {one["path"]: one for one in json.loads(done.stdout)["paths"]}
    assert list(paths) == ["UDP in, UDP out", "one SRT leg more", "two SRT legs more", "transcode"]
    for number, path in enumerate(list(paths.values())[:3]):
        assert path["srtLatencyMs"] == 60 * number
        assert path["samples"] > 500
        assert path["addedMs"]["p50"] > 0
    assert paths["two SRT legs more"]["totalMs"]["p50"] > paths["one SRT leg more"]["totalMs"]["p50"] > 60
    assert paths["transcode"]["samples"] >= 2
    assert graph.read_text().startswith("<svg")
    assert not media()
    assert run(tmp_path, "latency", "--transcode", "no-such-preset").returncode == 2
