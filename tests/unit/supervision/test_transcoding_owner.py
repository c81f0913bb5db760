"""The owner of a route with a transcode: two buses, and hardware that is tried first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from srt_router.errors import StartRefused
from tests.harness.wait import until_async
from tests.unit.routes import examples
from tests.unit.supervision.stage import Stage, stage

VIDEO: examples.Json = {"codec": "h264", "bitrateKbps": 3000}


@pytest.fixture
async def on_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    async with stage(tmp_path, monkeypatch) as found:
        yield found


def transcoding(**more: object) -> examples.Json:
    return {"video": {**VIDEO, **more}, "audio": "copy"}


async def test_the_source_waits_for_both_buses(on_stage: Stage) -> None:
    ends = (examples.listener(6000), examples.listener(6001))
    on_stage.joins.at_once = False
    owner = on_stage.owner(examples.route(*ends, transcode=transcoding(encoder="software")))
    await owner.start()
    await on_stage.until_alive("srtOut:6000", "srtOut:6001", "ffmpeg")
    await until_async(lambda: len(on_stage.joins.waiting) == 2)
    assert sorted(on_stage.joins.asked) == [1, 2]
    on_stage.joins.waiting[0].set_result(None)
    await asyncio.sleep(0.05)
    assert len(on_stage.troupe.alive()) == 3
    on_stage.joins.waiting[1].set_result(None)
    await on_stage.until_alive("srtOut:6000", "srtOut:6001", "ffmpeg", "srt")
    buses = {spec.feeds for spec in (actor.spec for actor in on_stage.troupe.alive()) if spec.feeds}
    assert len(buses) == 2


async def test_the_trial_of_hardware_comes_before_the_plan(on_stage: Stage) -> None:
    on_stage.services.encoders = trial = asyncio.get_running_loop().create_future()
    plain = on_stage.owner(examples.route(number=2))
    await plain.start()
    await on_stage.until_alive("srt")
    owner = on_stage.owner(examples.route(transcode=transcoding()))
    start = asyncio.ensure_future(owner.start())
    await asyncio.sleep(0.05)
    assert not start.done()
    trial.set_result(frozenset({"h264_nvenc"}))
    await start
    await on_stage.until_alive("srt", "srt", "ffmpeg")
    assert "h264_nvenc" in on_stage.troupe.playing("ffmpeg").spec.argv


async def test_an_encoder_that_does_not_work_refuses_the_start(on_stage: Stage) -> None:
    on_stage.services.encoders = trial = asyncio.get_running_loop().create_future()
    trial.set_result(frozenset())
    owner = on_stage.owner(examples.route(transcode=transcoding(encoder="nvenc")))
    with pytest.raises(StartRefused, match=r"transcode\.video\.encoder: nvenc cannot encode h264"):
        await owner.start()
    await owner.change(examples.route(transcode=transcoding()))
    await owner.start()
    await on_stage.until_alive("srt", "ffmpeg")
    assert "libx264" in on_stage.troupe.playing("ffmpeg").spec.argv
