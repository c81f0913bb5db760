"""Does anything get lost on the way from one SRT source to six destinations?

    python -m bench.lossless [--system server|hand-made|hand-made-default-buffers] [--seconds 60]
                             [--rates 6,20] [--protection both|plain|aes] [--json]

Sends real 6 and 20 Mb/s H.264 streams, with the bursts of their key frames, plain and AES-256, through a
route and compares what every destination received, byte for byte, with what was sent. Exit status 0 when
nothing is missing anywhere. Runs in namespaces of its own: it is safe on a machine that is on air.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.lossless_layout import LATE, Receivers, layout, other_side, receivers
from bench.lossless_systems import HandMade, Server, SmallBuffers, bus_sockets
from tests.harness import isolate
from tests.media import generate
from tests.media.generate import Picture
from tests.media.senders import SrtSender
from tests.media.tool import Event
from tests.media.transport_stream import check, compare

_SYSTEMS = {system.name: system for system in (HandMade, SmallBuffers, Server)}
_PICTURES = {"6": generate.HD_6_MBPS, "20": generate.FULL_HD_20_MBPS}
_REST_S = 5.0
_NEEDLE_BYTES = 65536


@dataclass(frozen=True)
class Arrival:
    """What one destination received."""

    destination: str
    bytes: int
    first_byte: int | None
    """Where in the sent stream it begins."""
    identical: bool
    missing_bytes: int
    missing_at_end: int
    continuity_errors: int
    ok: bool
    remark: str


@dataclass(frozen=True)
class Case:
    """One stream through one route, and what came out."""

    system: str
    mbps: int
    encrypted: bool
    seconds: int
    latency_ms: int
    sent_bytes: int
    bus_drops: int
    system_cpu_percent: float
    """Of one core, all processes of the system together."""
    tools_cpu_s: float
    sender_worst_delay_ms: object
    arrivals: list[Arrival]

    @property
    def ok(self) -> bool:
        """True when nothing was lost anywhere."""
        return not self.bus_drops and all(arrival.ok for arrival in self.arrivals)


@dataclass(frozen=True)
class Plan:
    """What to run."""

    system: str
    picture: Picture
    encrypted: bool
    seconds: int
    latency_ms: int


def run(plan: Plan, folder: Path) -> Case:
    """Play one stream through one route."""
    stream = generate.make(plan.picture, plan.seconds)
    route = layout(encrypted=plan.encrypted, latency_ms=plan.latency_ms)
    with receivers(route, folder) as outputs, _SYSTEMS[plan.system](folder) as system:
        outputs.open_listening()
        system.start(route)
        outputs.call()
        with SrtSender(stream, other_side(route.source)) as sender:
            sender.wait_bytes(stream.stat().st_size // 3, plan.seconds + 30)
            outputs.call_late()
            status = sender.wait_end(plan.seconds + 60)
        assert status == 0, f"the sender was not served: {sender.events[-3:]}"
        _wait_for_the_rest(stream, outputs)
        drops, cpu_s = sum(one.drops for one in bus_sockets()), system.cpu_s()
        ends = {name: receiver.stop() for name, receiver in outputs.all.items()}
    return _case(plan, sender, (drops, cpu_s), ends, _judge(stream, outputs, ends))


def _wait_for_the_rest(stream: Path, outputs: Receivers) -> None:
    """Wait until every receiver has the end of the stream; one that never gets it is judged as it is."""
    sent = stream.read_bytes()
    for receiver in outputs.all.values():
        with receiver.file.open("rb") as file:
            start = max(0, sent.find(file.read(_NEEDLE_BYTES)))
        with suppress(AssertionError):
            receiver.wait_bytes(len(sent) - start, _REST_S)


def _judge(stream: Path, outputs: Receivers, ends: dict[str, Event]) -> list[Arrival]:
    sent, arrivals = stream.read_bytes(), []
    for name, receiver in outputs.all.items():
        result, report = compare(sent, receiver.file), check(receiver.file)
        complete = result.missing_at_end == 0 and (name == LATE or result.offset == 0)
        own_drops = int(str(ends[name].get("kernel_drops", 0)))
        arrivals.append(
            Arrival(
                destination=name,
                bytes=result.length,
                first_byte=result.offset,
                identical=result.identical,
                missing_bytes=result.missing_bytes,
                missing_at_end=result.missing_at_end if result.identical else 0,
                continuity_errors=report.continuity_total + report.sync_errors,
                ok=result.identical and complete and report.clean,
                remark=f"the bench's own receiver dropped {own_drops}" if own_drops else str(result),
            )
        )
    return arrivals


def _case(
    plan: Plan,
    sender: SrtSender,
    system: tuple[int, float],
    ends: dict[str, Event],
    arrivals: list[Arrival],
) -> Case:
    closed = [*ends.values(), *sender.all_events("closed")]
    return Case(
        system=plan.system,
        mbps=plan.picture.video_mbps,
        encrypted=plan.encrypted,
        seconds=plan.seconds,
        latency_ms=plan.latency_ms,
        sent_bytes=sender.file.stat().st_size,
        bus_drops=system[0],
        system_cpu_percent=round(100 * system[1] / plan.seconds, 1),
        tools_cpu_s=round(sum(float(str(event.get("cpu_s", 0))) for event in closed), 2),
        sender_worst_delay_ms=sender.wait_event("sent")["worst_delay_ms"],
        arrivals=arrivals,
    )


def _print_table(case: Case) -> None:
    protection = "AES-256" if case.encrypted else "plain"
    print(
        f"\n{case.system}, {case.mbps} Mb/s, {protection}, {case.seconds} s, latency {case.latency_ms} ms: "
        f"{'nothing lost' if case.ok else 'LOSSES'}; bus drops {case.bus_drops}, CPU of the system "
        f"{case.system_cpu_percent} % of a core, of the bench's tools {case.tools_cpu_s} s, "
        f"sender at most {case.sender_worst_delay_ms} ms late"
    )
    print(f"  {'destination':<28}{'bytes':>12}{'from byte':>12}{'missing':>10}{'CC errors':>11}  identical")
    for one in case.arrivals:
        first = "-" if one.first_byte is None else one.first_byte
        missing = one.missing_bytes + one.missing_at_end
        print(
            f"  {one.destination:<28}{one.bytes:>12}{first:>12}{missing:>10}{one.continuity_errors:>11}"
            f"  {'yes' if one.identical else 'NO: ' + one.remark}",
            flush=True,
        )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--system", choices=_SYSTEMS, default=Server.name)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rates", default="6,20", help="Mb/s, of 6 and 20")
    parser.add_argument("--protection", choices=("plain", "aes", "both"), default="both")
    parser.add_argument("--latency", type=int, default=120, help="of every SRT leg, in ms")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    return parser.parse_args()


def _plans(options: argparse.Namespace) -> list[Plan]:
    protections = {"plain": [False], "aes": [True], "both": [False, True]}[options.protection]
    return [
        Plan(options.system, _PICTURES[rate], encrypted, options.seconds, options.latency)
        for rate in options.rates.split(",")
        for encrypted in protections
    ]


def main() -> int:
    """Run all cases; 1 if any lost anything."""
    options = _options()
    if not isolate.is_isolated():
        again = [sys.executable, isolate.__file__, sys.executable, "-m", "bench.lossless", *sys.argv[1:]]
        os.execv(sys.executable, again)  # noqa: S606
    cases = []
    for plan in _plans(options):
        with tempfile.TemporaryDirectory(prefix="lossless-") as folder:
            case = run(plan, Path(folder))
        cases.append(case)
        if not options.json:
            _print_table(case)
    if options.json:
        print(json.dumps([asdict(case) | {"ok": case.ok} for case in cases], indent=2))
    return 0 if all(case.ok for case in cases) else 1


if __name__ == "__main__":
    sys.exit(main())
