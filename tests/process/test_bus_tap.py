"""The tap sees whether its bus flows, and nobody notices it."""

from __future__ import annotations

import re
import socket
from pathlib import Path

from srt_router.monitoring.bus_tap import BusTap
from tests.harness.wait import until_async

GROUP, PORT = "239.255.7.7", 23456


def send(count: int, group: str = GROUP) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
        for _ in range(count):
            out.sendto(b"x" * 1316, (group, PORT))


def drops() -> list[int]:
    lines = Path("/proc/net/udp").read_text().splitlines()[1:]
    return [int(line.split()[-1]) for line in lines if re.search(r" 0707FFEF:5BA0 ", line)]


async def test_flow_is_seen_look_by_look_and_nothing_is_dropped() -> None:
    tap = BusTap(GROUP, PORT)
    assert tap.look() is False
    for _ in range(3):
        send(1)
        assert await until_async(tap.look)
        assert tap.look() is False
    send(5000)
    assert await until_async(tap.look)
    send(100_000)  # it is joined, and far behind: even then its buffer is not filled again and again
    await until_async(tap.look)
    assert tap.look() is False
    before = drops()
    send(5000, "239.255.7.8")
    assert tap.look() is False
    assert drops() == before
    tap.close()
    assert drops() == []


async def test_a_tap_that_has_left_takes_nothing() -> None:
    tap = BusTap(GROUP, PORT)
    send(1)
    await until_async(lambda: not tap._joined)
    send(50_000)
    assert drops() == [0]
    tap.close()
