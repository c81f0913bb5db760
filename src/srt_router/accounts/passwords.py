"""Passwords: what is good enough, and Argon2id in threads of its own, few at a time and behind everything else."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from srt_router.accounts.errors import PasswordRefused, SignInThrottled

T = TypeVar("T")

SHORTEST = 8
LONGEST = 256
_DIFFERENT = 4
_WAITING = 20
"""So many strangers wait for their turn; the next one is sent away."""
_NICENESS = 10

PASSES, MEMORY_KIB, LANES = 2, 65536, 1


class Passwords:
    """Hashes and verifies. Strangers wait in a lane of their own: they never delay who is known."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)
        self._threads = ThreadPoolExecutor(2, "passwords", initializer=_step_back)
        self._known = asyncio.Semaphore(1)
        self._strangers = asyncio.Semaphore(1)
        self._waiting = 0
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        """The hash of a new password."""
        async with self._known:
            return await self._run(lambda: self._hasher.hash(_plain(password)))

    async def verify(self, hashed: str | None, password: str, *, known: bool) -> bool:
        """Whether it is the password. Without a hash (there is no such user) it takes as long, and is not.

        Raises SignInThrottled where too many strangers wait already.
        """
        if known:
            async with self._known:
                return await self._run(lambda: self._verify(hashed, password))
        if self._waiting >= _WAITING:
            raise SignInThrottled(2)
        self._waiting += 1
        try:
            async with self._strangers:
                return await self._run(lambda: self._verify(hashed, password))
        finally:
            self._waiting -= 1

    def is_outdated(self, hashed: str) -> bool:
        """It was made with other costs than a new one would be."""
        return self._hasher.check_needs_rehash(hashed)

    def close(self) -> None:
        """Nobody asks any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _verify(self, hashed: str | None, password: str) -> bool:
        if hashed is None:
            self._nobody = self._nobody or self._hasher.hash("nobody has this password")
        try:
            return self._hasher.verify(hashed or self._nobody or "", _plain(password)) and hashed is not None
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, job: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, job)


def check_new(name: str, password: str) -> None:
    """Raises PasswordRefused, with what to do, where a new password is too easily guessed."""
    if len(password) < SHORTEST:
        raise PasswordRefused(f"the password is too short: take {SHORTEST} characters or more")
    if len(password) > LONGEST:
        raise PasswordRefused(f"the password is too long: take {LONGEST} characters or fewer")
    if len(set(password)) < _DIFFERENT:
        raise PasswordRefused(f"the password is too simple: use {_DIFFERENT} different characters or more")
    if password.casefold() == name.casefold():
        raise PasswordRefused("the password must not be the user name")


def _plain(password: str) -> bytes:
    """The same bytes whatever keyboard an accent was typed on."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")


def _step_back() -> None:
    """What is on air comes first; on Linux a thread has a niceness of its own."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
