"""Work that comes by the hundred takes turns."""

from __future__ import annotations

import asyncio
import time

import pytest

from srt_router.processes.loop_share import LoopShare, in_turns


async def test_the_first_job_runs_at_once() -> None:
    done: list[int] = []
    LoopShare().submit(lambda: done.append(1))
    assert done == [1]


async def test_many_jobs_keep_their_order_and_let_others_in_between() -> None:
    share, done, turns = LoopShare(), [], 0

    def work(number: int) -> None:
        end = time.monotonic() + 0.001
        while time.monotonic() < end:
            pass
        done.append(number)

    for number in range(50):
        share.submit(lambda number=number: work(number))  # type: ignore[misc]
    assert 0 < len(done) < 50
    assert share.busy
    while len(done) < 50:
        turns += 1
        await asyncio.sleep(0)
    assert done == list(range(50))
    assert turns >= 5
    assert not share.busy


async def test_a_job_that_fails_holds_up_nobody(caplog: pytest.LogCaptureFixture) -> None:
    share, done = LoopShare(), []

    def fail() -> None:
        raise OSError("no descriptor left")

    share.submit(fail)
    share.submit(lambda: done.append("next"))
    assert done == ["next"]
    assert "no descriptor left" in caplog.text


async def test_a_job_may_bring_another() -> None:
    share, done = LoopShare(), []

    def outer() -> None:
        share.submit(lambda: done.append("inner"))
        done.append("outer")

    share.submit(outer)
    assert done == ["outer", "inner"]


async def test_jobs_that_begin_in_turns_let_others_in_between() -> None:
    begun: list[int] = []

    async def job(number: int) -> None:
        begun.append(number)

    starting = asyncio.create_task(in_turns(job(number) for number in range(100)))
    most, before = 0, 0
    while not starting.done():
        await asyncio.sleep(0)
        most, before = max(most, len(begun) - before), len(begun)
    await asyncio.gather(*starting.result())
    assert begun == list(range(100))
    assert most <= 20
