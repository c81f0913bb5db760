"""`kill -9` amid edits: what was acknowledged is there afterwards. `bench/edits.py` does it 500 times."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.harness.server import Server
from tests.process.edit_storm import Storm

ROUNDS = 8


@pytest.mark.long
@pytest.mark.timeout(180)
def test_every_acknowledged_edit_survives_a_kill(tmp_path: Path) -> None:
    seed = int(os.environ.get("SRT_ROUTER_TEST_SEED") or random.randrange(10**6))  # noqa: S311
    print(f"seed {seed}: replay with SRT_ROUTER_TEST_SEED={seed}")
    with Server(tmp_path / "server") as server:
        storm = Storm(server, clients=4, seed=seed)
        for _ in range(ROUNDS):
            storm.round()
            storm.restarted()
        assert storm.answered >= ROUNDS
    assert server.log().count("Traceback") == 0
