"""What the soak calls flat: it must find a leak, and not take noise for one."""

from __future__ import annotations

import random

import pytest

from bench.soak_flat import judge

WARM_UP = [3.0, 40.0, 90.0]


@pytest.mark.parametrize(
    ("name", "values", "grows"),
    [
        ("descriptors", [118.0] * 7, False),
        ("descriptors", [118.0, 119, 118, 118, 118, 119, 118], False),  # a connection that hangs up late
        ("descriptors", [118.0, 118, 118, 118, 119, 119, 119], True),
        ("descriptors", [118.0, 119, 120, 121, 122, 123, 124], True),
        ("asyncio tasks", [28.0, 28, 28, 28, 27, 27, 27], False),
        ("threads", [12.0, 99, 12, 12, 12, 12, 12], True),  # more than its bound, once
        ("MB of the server, private", [90.0, 93, 89, 92, 90, 93, 91], False),
        ("MB of the server, private", [90.0, 90.5, 91, 91.5, 92, 92.5, 93], True),
        ("MB of the server, private", [90.0, 90.1, 90.2, 90.3, 90.4, 90.5, 90.6], False),
    ],
)
def test_what_grows(name: str, values: list[float], grows: bool) -> None:
    assert judge(name, [*WARM_UP[:2], 90.0, *values] if "MB" in name else [*values[:1] * 3, *values]).grows is grows


def test_noise_has_no_slope() -> None:
    chance = random.Random(1)  # noqa: S311
    looks = [[90 + chance.uniform(-4, 4) for _ in range(10)] for _ in range(1000)]
    assert sum(judge("MB of the server, private", values).grows for values in looks) < 10


def test_the_warm_up_does_not_count() -> None:
    values = [10.0, 60, *[118] * 8]
    assert not judge("descriptors", values).grows
    assert judge("descriptors", values, warm_up=0).grows
