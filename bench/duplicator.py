"""What the duplicator costs, against what the kernel alone costs for the same sends, in the same run.

    bench/duplicator.py [--seconds N] [--json]

Two loads of 1316-byte datagrams over loopback to sockets that nobody reads, for 1, 4 and 16 outputs:

- flood: more than it can take. Datagrams sent a second, and CPU per datagram sent, against a bare loop of
  ``sendmmsg`` to the same number of sockets, which neither receives nor counts.
- paced: 2,000 single datagrams a second (21 Mb/s), each of which wakes it. CPU as a share of one core,
  against ``srt-live-transmit udp://… udp://…`` where it is installed (it has one output). Not the same
  work: it looks every 10 ms (delay seen: median 5 ms, ours 0.05 ms) and so wakes far less often.

CPU is what the scheduler counted for the process, all threads, kernel time included.
"""

import argparse
import ctypes
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
SIZE, PACE_PER_S = 1316, 2000
INPUT = ("127.0.0.1", 5000)


def bare_loop(ports: list[int], seconds: float) -> tuple[int, float]:
    """Send batches to all ports in turn for a while: datagrams, CPU seconds."""
    from srt_router.duplication.orders import Destination
    from srt_router.duplication.outputs import BATCH, Batch, Output, _sendmmsg

    batch = Batch()
    for vector in batch.vectors:
        vector.length = SIZE
        ctypes.memset(vector.base, 1, SIZE)
    outputs = [Output(Destination("127.0.0.1", port), batch) for port in ports]
    calls = [(output._descriptor, output._messages_at) for output in outputs]
    sent, cpu, end = 0, time.process_time(), time.monotonic() + seconds
    while time.monotonic() < end:
        for descriptor, messages_at in calls:
            sent += max(0, _sendmmsg(descriptor, messages_at, BATCH, socket.MSG_DONTWAIT))
    return sent, time.process_time() - cpu


def pace(seconds: float) -> None:
    """Send single datagrams at the pace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        start = time.monotonic()
        for number in range(int(seconds * PACE_PER_S)):
            time.sleep(max(0.0, start + number / PACE_PER_S - time.monotonic()))
            sock.sendto(bytes(SIZE), INPUT)


def child(core: int, *words: str) -> "subprocess.Popen[bytes]":
    """This script again, as a load on a core of its own."""
    process = subprocess.Popen([sys.executable, __file__, *words], stdout=subprocess.PIPE)
    os.sched_setaffinity(process.pid, {core})
    return process


def cpu_seconds(pid: int) -> float:
    """CPU time of a process, with all its threads."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def measure(command: list[str], load: str, seconds: float, core: int) -> dict[str, float]:
    """Run a command under a load: CPU seconds, wall seconds and (of the duplicator) datagrams sent, memory."""
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE)
        os.sched_setaffinity(process.pid, {core})
        assert process.stderr is not None
        process.stderr.readline()  # "Media path"
        before, start = cpu_seconds(process.pid), time.monotonic()
        child(1 - core, "--load", load, "--seconds", str(seconds)).communicate()
        wall, cpu = time.monotonic() - start, cpu_seconds(process.pid) - before
        time.sleep(1.1)  # the stats line that counts them all
        memory = int(Path(f"/proc/{process.pid}/status").read_text().split("VmRSS:")[1].split()[0])
        process.terminate()
        process.communicate()
        out.seek(0)
        lines = out.read().splitlines()
    sent = sum(output["datagrams"] for output in json.loads(lines[-1])["outputs"]) if lines else 0
    return {"cpu_s": cpu, "wall_s": wall, "sent": sent, "memory_mb": memory / 1000}


def duplicator(ports: list[int], folder: str) -> list[str]:
    """The command of a duplicator with an output to each port."""
    config = Path(folder, f"{len(ports)}.json")
    config.write_text(json.dumps({"destinations": [{"host": "127.0.0.1", "port": port} for port in ports]}))
    script = str(ROOT / "src/srt_router/duplicator.py")
    uri = f"udp://{INPUT[0]}:{INPUT[1]}"
    return [sys.executable, "-I", "-S", script, "--input", uri, "--config", str(config)]


def run(seconds: float) -> dict[str, Any]:
    """All measurements."""
    cores = sorted(os.sched_getaffinity(0))
    core = cores[-1]
    result: dict[str, Any] = {"flood": {}, "paced": {}}
    sinks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(16)]
    for sink in sinks:
        sink.bind(("127.0.0.1", 0))
    ports = [sink.getsockname()[1] for sink in sinks]
    with tempfile.TemporaryDirectory() as folder:
        for count in (1, 4, 16):
            bare = child(core, "--load", "bare", "--seconds", str(seconds), "--ports", *map(str, ports[:count]))
            sent, cpu = json.loads(bare.communicate()[0])
            ours = measure(duplicator(ports[:count], folder), "flood", seconds, core)
            bare_us, ours_us = cpu / sent * 1e6, ours["cpu_s"] / ours["sent"] * 1e6
            result["flood"][count] = {
                "sent_per_s": round(ours["sent"] / ours["wall_s"]),
                "us_per_datagram": round(ours_us, 3),
                "bare_us_per_datagram": round(bare_us, 3),
                "ratio": round(ours_us / bare_us, 2),
                "memory_mb": ours["memory_mb"],
            }
            paced = measure(duplicator(ports[:count], folder), "paced", seconds, core)
            result["paced"][count] = {"percent_of_core": round(100 * paced["cpu_s"] / paced["wall_s"], 2)}
        if shutil.which("srt-live-transmit"):
            uris = [f"udp://{INPUT[0]}:{INPUT[1]}", f"udp://127.0.0.1:{ports[0]}"]
            theirs = measure(["srt-live-transmit", "-a:yes", *uris], "paced", seconds, core)
            percent = 100 * theirs["cpu_s"] / theirs["wall_s"]
            result["paced"]["srt-live-transmit"] = {"percent_of_core": round(percent, 2)}
    for sink in sinks:
        sink.close()
    return result


def show(result: dict[str, Any]) -> None:
    """The figures as text."""
    for count, row in result["flood"].items():
        print(
            f"flood, {count:2} outputs: {row['sent_per_s']:9,} datagrams/s sent, {row['us_per_datagram']:.3f} µs "
            f"each; sendmmsg alone {row['bare_us_per_datagram']:.3f} µs; ratio {row['ratio']:.2f}; "
            f"{row['memory_mb']:.1f} MB"
        )
    for name, row in result["paced"].items():
        who = f"{name:2} outputs" if isinstance(name, int) else f"{name}, 1 output"
        print(f"paced, {who}: {row['percent_of_core']:.2f} % of a core at {PACE_PER_S:,} datagrams/s")


def main() -> None:
    """Read the command line; the loads are this script too."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--load", choices=["bare", "flood", "paced"], help=argparse.SUPPRESS)
    parser.add_argument("--ports", type=int, nargs="*", default=[], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.load == "paced":
        pace(options.seconds)
    elif options.load:
        print(json.dumps(bare_loop(options.ports or [INPUT[1]], options.seconds)))
    elif "TEST_ISOLATION" not in os.environ:
        isolate = str(ROOT / "tests/harness/isolate.py")
        os.execv(sys.executable, [sys.executable, isolate, sys.executable, __file__, *sys.argv[1:]])  # noqa: S606
    else:
        result = run(options.seconds)
        print(json.dumps(result)) if options.json else show(result)


if __name__ == "__main__":
    main()
