"""Work of the start is given up once the server is to end."""

from __future__ import annotations

import asyncio

import pytest

from srt_router.signals import Stop


async def test_what_ends_in_time_is_done() -> None:
    assert await Stop().unless(asyncio.sleep(0, "done")) == "done"


async def test_what_does_not_is_given_up() -> None:
    stop, given_up = Stop(), []

    async def work() -> str:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)  # it cleans up, and that is waited for
            given_up.append(True)
        return "never"

    asyncio.get_running_loop().call_soon(stop.leave)
    assert await stop.unless(work()) is None
    assert given_up


async def test_once_it_is_to_end_nothing_begins() -> None:
    stop = Stop()
    stop.leave()
    assert await stop.unless(asyncio.Event().wait()) is None


async def test_what_fails_says_so() -> None:
    async def work() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await Stop().unless(work())
