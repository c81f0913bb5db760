"""The duplicator beside socat, GStreamer's multiudpsink and the kernel's own limit, for `bench/data_path.py`."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import peers, plots
from bench.data_path_run import cpu_s
from bench.duplicator import INPUT, PACE_PER_S, SIZE, bare_loop, duplicator
from bench.results import Cell, Table, spread
from tests.harness.wait import until

PACKAGES = ("socat", "gstreamer1.0-tools", "gstreamer1.0-plugins-base", "gstreamer1.0-plugins-good")
_COUNTS = (1, 4, 16)
_QUICK = (1, 4)
_BURST = 400
"""Datagrams: a key frame of half a megabyte."""
_LOADS = {
    "paced": f"{PACE_PER_S:,} a second, one by one",
    "bursts": f"{PACE_PER_S:,} a second, {_BURST} at once",
    "flood": "as many as one core sends",
}
_ROUNDS = 3
_BUFFER = 4_000_000
_OURS, _KERNEL = "udpDuplicator", "sendmmsg alone"
_ROUND_S = 0.5
_QUICK_S = 0.2


@dataclass(frozen=True)
class Round:
    """One load on one system."""

    us_each: float
    """Processor time for each datagram sent, in microseconds."""
    sent_per_s: float
    lost_percent: float
    """Of the datagrams that should have gone out."""


def version() -> str:
    """Of socat."""
    root = peers.debian(*PACKAGES)
    done = subprocess.run(["socat", "-V"], env=peers.environment(root), capture_output=True, text=True, check=True)
    return next(line.split()[2] for line in done.stdout.splitlines() if line.startswith("socat version"))


def measure(*, quick: bool) -> tuple[list[Table], list[str], list[str]]:
    """Tables, pictures, and which goals were missed."""
    found: dict[tuple[str, str, int], list[Round]] = {}
    counts, each_s = (_QUICK, _QUICK_S) if quick else (_COUNTS, _ROUND_S)
    with tempfile.TemporaryDirectory() as folder, _sinks(max(_COUNTS)) as ports:
        for count in counts:
            found["flood", _KERNEL, count] = [_kernel(ports[:count], each_s) for _ in range(_ROUNDS)]
            for name, command in _systems(ports[:count], Path(folder)).items():
                for load in _LOADS:
                    found[load, name, count] = _rounds(command, load, count, each_s)
                    middle = spread([one.us_each for one in found[load, name, count]], 2)
                    print(f"{name}, {count} outputs, {load}: {middle} µs", file=sys.stderr, flush=True)
    missed = [
        f"udpDuplicator lost {max(one.lost_percent for one in rounds):.2f} % of the {load} load, {count} outputs"
        for (load, name, count), rounds in found.items()
        if name == _OURS and load != "flood" and any(one.lost_percent for one in rounds)
    ]
    return [_table(found, counts)], [] if quick else [_drawn(found)], missed


def _systems(ports: list[int], folder: Path) -> dict[str, tuple[list[str], dict[str, str]]]:
    """Command and environment of everything that can send to so many outputs."""
    environment = peers.environment(peers.debian(*PACKAGES))
    host, port = INPUT
    clients = ",".join(f"127.0.0.1:{each}" for each in ports)
    pipeline = f"udpsrc address={host} port={port} buffer-size={_BUFFER} ! multiudpsink clients={clients} "
    pipeline += f"buffer-size={_BUFFER} sync=false async=false"
    systems = {
        _OURS: (duplicator(ports, str(folder)), dict(os.environ)),
        "GStreamer multiudpsink": (["gst-launch-1.0", "-q", *pipeline.split()], environment),
    }
    if len(ports) == 1:
        receive = f"UDP-RECV:{port},bind={host},so-rcvbuf={_BUFFER}"
        systems["socat"] = (["socat", "-u", "-T", "3600", receive, f"UDP-SENDTO:127.0.0.1:{ports[0]}"], environment)
    return systems


@contextmanager
def _sinks(count: int) -> Iterator[list[int]]:
    """Ports that nobody reads: what is sent there costs the sender what it always costs."""
    sinks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    for sink in sinks:
        sink.bind(("127.0.0.1", 0))
    yield [sink.getsockname()[1] for sink in sinks]
    for sink in sinks:
        sink.close()


def _kernel(ports: list[int], seconds: float) -> Round:
    """A loop of sendmmsg, which neither receives nor counts; on the processor of the others."""
    code = "import json,sys; from bench.duplicator_peers import bare_loop; "
    code += "print(json.dumps(bare_loop(json.loads(sys.argv[1]), float(sys.argv[2]))))"
    command = [sys.executable, "-c", code, json.dumps(ports), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        os.sched_setaffinity(process.pid, {_cores()[1]})
        assert process.stdout
        sent, cpu = json.loads(process.stdout.read())
    return Round(cpu / sent * 1e6, sent / seconds, 0.0)


def _rounds(command: tuple[list[str], dict[str, str]], load: str, count: int, seconds: float) -> list[Round]:
    """One process, several loads after another."""
    argv, environment = command
    system = subprocess.Popen(
        argv, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        os.sched_setaffinity(system.pid, {_cores()[1]})
        until(lambda: _bound(INPUT[1]), what=f"{argv[0]} to listen")
        for task in Path(f"/proc/{system.pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), {_cores()[1]})
        return [_round(system.pid, load, count, seconds) for _ in range(_ROUNDS)]
    finally:
        system.terminate()
        system.wait(10)


def _round(pid: int, load: str, count: int, seconds: float) -> Round:
    cpu, out, began = cpu_s(pid), _datagrams_out(), time.monotonic()
    given = _load(load, seconds)
    last = -1

    def done() -> bool:
        """It has sent everything that it has taken in: nothing more goes out."""
        nonlocal last
        before, last = last, _datagrams_out()
        time.sleep(0.05)
        return before == last

    until(done, what="everything to be sent")
    sent = _datagrams_out() - out - given
    assert sent > 0, "nothing came out"
    # a sender's flood ends when the sender does: what is left in the buffer takes a moment that counts as well
    took = time.monotonic() - began
    return Round((cpu_s(pid) - cpu) / sent * 1e6, sent / took, 100 * (1 - sent / (given * count)))


def _load(load: str, seconds: float) -> int:
    """Send to the system for a while, from the other processor. How many datagrams."""
    os.sched_setaffinity(0, {_cores()[0]})
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        if load == "flood":
            return bare_loop([INPUT[1]], seconds)[0]
        at_once = _BURST if load == "bursts" else 1
        begin, wanted = time.monotonic(), int(seconds * PACE_PER_S) // at_once
        for number in range(wanted):
            time.sleep(max(0.0, begin + number * at_once / PACE_PER_S - time.monotonic()))
            for _ in range(at_once):
                sender.sendto(bytes(SIZE), INPUT)
    return wanted * at_once


def _cores() -> tuple[int, int]:
    """One for the load and one for who is measured."""
    cores = sorted(os.sched_getaffinity(1))
    return cores[0], cores[-1]


def _bound(port: int) -> bool:
    lines = Path("/proc/net/udp").read_text().splitlines()[1:]
    return any(int(line.split()[1].partition(":")[2], 16) == port for line in lines)


def _datagrams_out() -> int:
    """What everybody in this namespace has sent; here that is the load and the system."""
    lines = [line.split() for line in Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Udp:")]
    return int(lines[1][lines[0].index("OutDatagrams")])


def _table(found: dict[tuple[str, str, int], list[Round]], counts: tuple[int, ...]) -> Table:
    rows: list[list[Cell]] = []
    for load in _LOADS:
        for count in counts:
            same = {name: each for (at, name, outputs), each in found.items() if (at, outputs) == (load, count)}
            middles = {name: _middle(rounds) for name, rounds in same.items()}
            best = min(middle for name, middle in middles.items() if name not in (_OURS, _KERNEL))
            kernel = _middle(found["flood", _KERNEL, count])
            for name, rounds in same.items():
                rows.append(
                    [
                        load,
                        count,
                        name,
                        spread([one.us_each for one in rounds], 2),
                        f"{middles[name] / best:.2f}",
                        f"{middles[name] / kernel:.2f}" if load == "flood" else "",
                        round(sorted(one.sent_per_s for one in rounds)[len(rounds) // 2]),
                        "" if name == _KERNEL else f"{max(one.lost_percent for one in rounds):.1f} %",
                    ]
                )
    loads = "; ".join(f"{name}: {what}" for name, what in _LOADS.items())
    return Table(
        "The duplicator",
        [
            "load",
            "outputs",
            "system",
            "µs per datagram sent",
            "to best peer",
            "to kernel",
            "sent per s",
            "lost at worst",
        ],
        rows,
        f"Datagrams of {SIZE:,} bytes on loopback to sockets that nobody reads ({loads}); {_ROUNDS} rounds. Load and "
        "system have a processor each. “sendmmsg alone” is a loop of that system call, which neither receives nor "
        f"counts. All get a receive buffer of {_BUFFER:,} bytes (`so-rcvbuf`, `buffer-size`), GStreamer `sync=false "
        "async=false`. socat has one output. Paced, each datagram wakes it: ours then makes one system call for each "
        "output, because every output has a socket, options and errors of its own; multiudpsink makes one for all. "
        "Of a flood most is lost by everybody: it says how much one core can send.",
    )


def _middle(rounds: list[Round]) -> float:
    return sorted(one.us_each for one in rounds)[len(rounds) // 2]


def _drawn(found: dict[tuple[str, str, int], list[Round]]) -> str:
    groups: dict[str, dict[str, float]] = {}
    for count in _COUNTS:
        groups[f"{count} output{'s' if count > 1 else ''}"] = {
            name: _middle(rounds)
            for (load, name, outputs), rounds in found.items()
            if (load, outputs) == ("flood", count)
        }
    return plots.bars(
        "duplicator-peers", "Copying datagrams, flooded", "µs of processor time per datagram sent", groups
    )
