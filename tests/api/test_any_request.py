"""Requests of every kind to every operation of the OpenAPI document, by nobody and by every role, of a real server."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.harness.any_request import EVERYBODY, PLANTED, House, planted, run
from tests.harness.server import Server

EXAMPLES = 6
"""So many good and so many bad cases of each operation: half a minute. `bench.any_request` asks tens of thousands."""


@pytest.mark.long
@pytest.mark.timeout(300)
def test_every_answer_is_as_the_document_says_and_shows_no_secret(tmp_path: Path) -> None:
    with Server(tmp_path, planted()) as server:
        house = House(server)
        run(house, EXAMPLES)
        assert house.wrong == {}

        labels = {operation.label for operation in house.operations()}
        assert len(labels) > 70
        statuses: Counter[str] = Counter()
        for (label, role, status), count in house.asked.items():
            assert label in labels
            statuses[f"{role} {status}"] += count
        assert {role for _, role, _ in house.asked} == set(EVERYBODY)
        # the cases are worth something only where they come through to what they ask for
        assert min(statuses["viewer 200"], statuses["operator 200"], statuses["administrator 200"]) > 50

        told = server.log() + server.api.get("/api/events", params={"limit": 1000}).text
        assert [secret for secret in PLANTED if secret in told] == []
