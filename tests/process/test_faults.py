"""A hundred crashes: see fault_engine. Replay one with SRT_ROUTER_TEST_SEED; `bench/faults.py` runs a thousand."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from tests.process.bystanders import crowd
from tests.process.fault_engine import FaultEngine

ROUNDS = 100
ROUTES = 4


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("on_start", "rounds"), [("clean", ROUNDS), ("adopt", ROUNDS // 3)])
def test_after_any_crash_exactly_what_is_demanded_lives(on_start: str, rounds: int, tmp_path: Path) -> None:
    seed = int(os.environ.get("SRT_ROUTER_TEST_SEED") or random.randrange(10**6))  # noqa: S311
    print(f"seed {seed}: replay with SRT_ROUTER_TEST_SEED={seed}")
    began = time.monotonic()
    with crowd(tmp_path / "crowd") as people:
        engine = FaultEngine(tmp_path / "s", people, ROUTES, seed, adopt=on_start == "adopt")
        try:
            for number in range(rounds):
                engine.round(number)
        finally:
            engine.close()
    print(f"{rounds} rounds, {engine.server_kills} kills of the server, {time.monotonic() - began:.0f} s")
