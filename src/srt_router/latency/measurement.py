"""The measurement: which routes, what goes through them, and what that says."""

from __future__ import annotations

import statistics
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from srt_router.client import Client
from srt_router.latency.packets import DATAGRAM_BYTES, send_and_receive
from srt_router.latency.pictures import added_ms, receive, source_arguments
from srt_router.latency.router import MeasurementFailed, port_of, receiver, tied_to_us, until

Json = dict[str, Any]
_WARM_S = 4.0
"""Before a transcode is measured: ffmpeg looks at its input first."""


_LEAST_S = 8.0
"""So long at least: a turn comes every four seconds."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to measure."""

    latency_ms: int = 120
    """Of each SRT leg."""
    mbps: float = 6.0
    seconds: float = 10.0
    transcode: Json | None = None
    """As in a route; None: none is measured."""


@dataclass(frozen=True, slots=True)
class Path:
    """One way through the router, and how long each packet took for it."""

    name: str
    srt_ms: float
    """Of it, what SRT holds on purpose: the latency of each leg."""
    times_ms: list[float]
    lost: int | None

    def percentile(self, percent: int) -> float:
        """Milliseconds below which so many percent of the packets took."""
        ordered = sorted(self.times_ms)
        return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]

    def to_json(self) -> Json:
        """For scripts: all of it in milliseconds; `added` is without what SRT holds on purpose."""
        median = statistics.median(self.times_ms)
        return {
            "path": self.name,
            "samples": len(self.times_ms),
            "lost": self.lost,
            "srtLatencyMs": self.srt_ms,
            "totalMs": {
                "p50": round(median, 2),
                "p99": round(self.percentile(99), 2),
                "max": round(max(self.times_ms), 2),
            },
            "addedMs": {
                "p50": round(median - self.srt_ms, 2),
                "p99": round(self.percentile(99) - self.srt_ms, 2),
                "max": round(max(self.times_ms) - self.srt_ms, 2),
            },
        }


def measure(client: Client, wanted: Wanted) -> list[Path]:
    """Every path. Raises MeasurementFailed, and what the client raises."""
    found = _passthrough(client, wanted)
    if wanted.transcode is not None:
        found.append(_transcode(client, wanted, wanted.transcode))
    return found


def _passthrough(client: Client, wanted: Wanted) -> list[Path]:
    first, second, third = _free_ports(client, 3)
    into = _free_udp(client)
    with ExitStack() as open_:
        outputs = [open_.enter_context(receiver()) for _ in range(3)]
        leg = {"type": "srt", "mode": "listener", "latency": wanted.latency_ms}
        call = {"type": "srt", "mode": "caller", "host": "127.0.0.1", "latency": wanted.latency_ms}
        ends: list[tuple[Json, list[Json]]] = [
            ({"type": "udp", "host": "127.0.0.1", "port": into}, [{**leg, "port": first}]),
            ({**call, "port": first}, [{**leg, "port": second}]),
            ({**call, "port": second}, [{**leg, "port": third, "enabled": False}]),
        ]
        for (source, destinations), output in zip(ends, outputs, strict=True):
            _add(client, source, [{"type": "udp", "host": "127.0.0.1", "port": port_of(output)}, *destinations])
        per_second = max(1, round(wanted.mbps * 1e6 / 8 / DATAGRAM_BYTES))
        _flow(client, into, outputs, per_second)
        times = send_and_receive(into, outputs, per_second=per_second, seconds=wanted.seconds)
    sent = int(per_second * wanted.seconds)
    names = ("UDP in, UDP out", "one SRT leg more", "two SRT legs more")
    paths = []
    for index, (name, taken) in enumerate(zip(names, times, strict=True)):
        if not taken:
            raise MeasurementFailed(f"{name}: nothing came out")
        paths.append(Path(name, index * wanted.latency_ms, taken, max(0, sent - len(taken))))
    _clear(client)
    return paths


def _flow(client: Client, into: int, outputs: Sequence[Any], per_second: int) -> None:
    """Wait until what goes in comes out everywhere, and until every SRT leg is through with its handshake."""

    def flows() -> bool:
        return all(send_and_receive(into, outputs, per_second=per_second, seconds=0.5))

    until(flows, f"no packet comes out: {_why(client)}")


def _transcode(client: Client, wanted: Wanted, transcode: Json) -> Path:
    into = _free_udp(client)
    with receiver() as tap, receiver() as output:
        source = {"type": "udp", "host": "127.0.0.1", "port": into}
        _add(client, source, [{"type": "udp", "host": "127.0.0.1", "port": port_of(output)}], transcode)
        seconds = max(2 * wanted.seconds, _LEAST_S) + _WARM_S
        program = [*tied_to_us(), "ffmpeg", *source_arguments(port_of(tap), seconds + 5)]
        with subprocess.Popen(program, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as pictures:
            try:
                before, behind = receive(tap, into, output, seconds)
            finally:
                pictures.kill()
    _clear(client)
    times = added_ms(before.turns(), behind.turns())
    if not times:
        raise MeasurementFailed(
            "the transcode: no marked picture came out; `srt-router doctor` says whether ffmpeg works"
        )
    return Path("transcode", 0.0, times, None)


def _add(client: Client, source: Json, destinations: list[Json], transcode: Json | None = None) -> None:
    name = f"Latency {len(client.routes.list()) + 1}"
    client.routes.create(
        {"name": name, "autoStart": True, "source": source, "destinations": destinations, "transcode": transcode}
    )


def _clear(client: Client) -> None:
    for route in client.routes.list():
        client.routes.delete(route["id"])


def _why(client: Client) -> str:
    return ", ".join(f"{route['name']} is {route['status']}" for route in client.routes.list())


def _free_ports(client: Client, count: int) -> list[int]:
    return list(client.machine.free_ports(count=count, first=30000))


def _free_udp(client: Client) -> int:
    return next(iter(client.machine.free_ports(protocol="udp", first=31000)))
