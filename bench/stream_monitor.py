"""What the stream monitor costs, against udpDuplicators that only receive the same streams, in the same run.

    tests/harness/isolate.py .venv/bin/python bench/stream_monitor.py [--seconds N] [--json]

The same 6 Mb/s stream on 1, 10, 30 and 100 buses, each datagram at its time, watched by one stream monitor;
then the same streams taken by one udpDuplicator per bus that passes them on to nobody. CPU is what the scheduler
counted for the processes, kernel time included, as a share of one core and per Mb/s. `every`: the monitor looks at
each bus in one of so many seconds (its budget is 20 % of a core); `missed`: datagrams that its own sockets lost.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.media.generate import HD_6_MBPS, make  # noqa: E402
from tests.media.pacing import bursts  # noqa: E402

SECONDS_OF_STREAM = 8
BUSES = (1, 10, 30, 100)
WARM_UP_S = 4.0


def place(number: int) -> tuple[str, int]:
    """The bus with this number."""
    return f"239.255.77.{number + 1}", 23_000 + number


def play(count: int, seconds: float) -> None:
    """Send the stream onto each bus, over and over; the buses are spread over time as real routes are."""
    data = make(HD_6_MBPS, SECONDS_OF_STREAM).read_bytes()
    schedule = [(burst.at_s, list(burst.datagrams(data))) for burst in bursts(data)]
    lasts_s = schedule[-1][0] + 0.04
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
        due = sorted(
            (at_s + number / count * lasts_s, number, burst) for number in range(count) for at_s, burst in schedule
        )
        start, turn = time.monotonic(), 0
        while True:
            for at_s, number, burst in due:
                now_s = time.monotonic() - start
                if now_s > seconds:
                    return
                time.sleep(max(0.0, at_s + turn * lasts_s - now_s))
                for datagram in burst:
                    out.sendto(datagram, place(number))
            turn += 1


def cpu_seconds(pids: list[int]) -> float:
    """CPU time of processes, with all their threads."""
    tasks = (task for pid in pids for task in Path(f"/proc/{pid}/task").iterdir())
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def under_load(processes: list[subprocess.Popen[bytes]], count: int, seconds: float) -> tuple[float, int]:
    """CPU share of one core of these processes while the streams play, and their memory in kB."""
    sender = subprocess.Popen(
        [sys.executable, __file__, "--play", str(count), "--seconds", str(seconds + WARM_UP_S + 2)]
    )
    time.sleep(WARM_UP_S)
    pids = [process.pid for process in processes]
    before, start = cpu_seconds(pids), time.monotonic()
    time.sleep(seconds)
    share = (cpu_seconds(pids) - before) / (time.monotonic() - start)
    memory = sum(int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0]) for pid in pids)
    sender.wait()
    return share, memory


def monitor(count: int, seconds: float, folder: Path) -> dict[str, Any]:
    """One stream monitor for all buses; without ffprobe, whose work is done once for each source."""
    config, output = folder / "orders.json", folder / "out"
    config.write_text(json.dumps({"server": os.getpid(), "buses": [place(n) for n in range(count)], "probe": False}))
    program = ROOT / "src/srt_router/transport_stream/__main__.py"
    with output.open("wb") as out:
        process = subprocess.Popen([sys.executable, "-I", str(program), "--config", str(config)], stdout=out)
    share, memory = under_load([process], count, seconds)
    process.terminate()
    process.wait()
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    every = [line["every"] for line in lines if "every" in line]
    last = {line["bus"]: line for line in lines if line.get("packets")}
    return {
        "share": share,
        "memory_mb": memory / 1000,
        "every": every[-3],
        "missed": sum(line["missed"] for line in last.values()),
        "seen": len(last),
    }


def duplicators(count: int, seconds: float, folder: Path) -> float:
    """One udpDuplicator per bus, without any output."""
    config = folder / "none.json"
    config.write_text('{"destinations": []}')
    script = str(ROOT / "src/srt_router/duplicator.py")
    processes = []
    for number in range(count):
        group, port = place(number)
        uri = f"udp://{group}:{port}?interface=127.0.0.1"
        argv = [sys.executable, "-I", "-S", script, "--input", uri, "--config", str(config)]
        processes.append(subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    share, _ = under_load(processes, count, seconds)
    for process in processes:
        process.terminate()
        process.wait()
    return share


def run(seconds: float) -> list[dict[str, Any]]:
    """All measurements."""
    stream = make(HD_6_MBPS, SECONDS_OF_STREAM)
    mbps = stream.stat().st_size * 8 / SECONDS_OF_STREAM / 1e6
    rows = []
    for count in BUSES:
        with tempfile.TemporaryDirectory() as name:
            ours = monitor(count, seconds, Path(name))
            theirs = duplicators(count, seconds, Path(name))
        rows.append(
            {
                "buses": count,
                "mbps": round(count * mbps),
                "monitor_percent": round(100 * ours["share"], 2),
                "monitor_percent_per_mbps": round(100 * ours["share"] / (count * mbps), 4),
                "duplicators_percent": round(100 * theirs, 2),
                "ratio": round(ours["share"] / theirs, 2),
                **{name: ours[name] for name in ("every", "missed", "seen", "memory_mb")},
            }
        )
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--play", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.play:
        play(options.play, options.seconds)
        return
    rows = run(options.seconds)
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    print("| " + " | ".join(rows[0]) + " |")
    for row in rows:
        print("| " + " | ".join(str(value) for value in row.values()) + " |")


if __name__ == "__main__":
    main()
