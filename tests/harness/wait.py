"""Waiting for a condition: tests never sleep for a time that happens to be enough."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

T = TypeVar("T")

PAUSE_S = 0.01


def until(condition: Callable[[], T], timeout_s: float = 20, what: str = "") -> T:
    """Call `condition` until it returns something true, and return that; AssertionError after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(_gave_up(condition, value, timeout_s, what))
        time.sleep(PAUSE_S)


@overload
async def until_async(condition: Callable[[], Awaitable[T]], timeout_s: float = 20, what: str = "") -> T: ...
@overload
async def until_async(condition: Callable[[], T], timeout_s: float = 20, what: str = "") -> T: ...
async def until_async(condition: Callable[[], object], timeout_s: float = 20, what: str = "") -> object:
    """`until` on the event loop; `condition` may be a coroutine function."""
    deadline = time.monotonic() + timeout_s
    while True:
        result = condition()
        value = await result if inspect.isawaitable(result) else result
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(_gave_up(condition, value, timeout_s, what))
        await asyncio.sleep(PAUSE_S)


def _gave_up(condition: Callable[[], object], value: object, timeout_s: float, what: str) -> str:
    what = what or getattr(condition, "__qualname__", repr(condition))
    return f"waited {timeout_s:g} s for: {what}; last seen: {value!r}"
