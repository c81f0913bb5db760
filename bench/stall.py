"""A source that stays connected and sends nothing: when it is called unhealthy, and when its stream is back.

    python -m bench.stall [--rounds 2] [--json]

One route with stock settings, a real SRT caller that is fed over UDP. The feed stops: the route must be called
unhealthy after 30 s. Then, after the restart, the feed goes on: seconds until it flows at the destination again.
Runs in namespaces of its own.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from tests.harness.isolate import is_isolated
from tests.harness.server import Server, listener, route, udp
from tests.harness.wait import until
from tests.media.receivers import UdpReceiver

PATIENCE_S, TOLERANCE_S, BACK_S = 30.0, 1.0, 2.0
"""HEALTH_BANDWIDTH_S by default, how far off it may be, and how soon the stream must be back."""


class Feed:
    """Datagrams of a transport stream's size at 1 Mb/s, as long as it is on."""

    def __init__(self, port: int) -> None:
        self.on = True
        self.last = time.monotonic()
        self._port = port
        self._ended = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            while not self._ended:
                if self.on:
                    out.sendto(b"\x47" + bytes(1315), ("127.0.0.1", self._port))
                    self.last = time.monotonic()
                time.sleep(0.01)

    def close(self) -> None:
        """Send no more."""
        self._ended = True
        self._thread.join()


def main() -> int:
    """Measure, print, and answer 1 where a goal was missed."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=2)
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    if not is_isolated():
        command = [sys.executable, "tests/harness/isolate.py", sys.executable, "-m", "bench.stall", *sys.argv[1:]]
        return subprocess.run(command, check=False).returncode
    noticed, back = [], []
    for _ in range(chosen.rounds):
        with tempfile.TemporaryDirectory() as folder:
            one, other = one_round(Path(folder))
        noticed.append(one)
        back.append(other)
    result = {
        "unhealthy_after_s": statistics.median(noticed),
        "farthest_off_s": max(abs(one - PATIENCE_S) for one in noticed),
        "back_after_s": statistics.median(back),
        "back_worst_s": max(back),
    }
    print(json.dumps(result) if chosen.json else "\n".join(f"{name}: {value:.2f}" for name, value in result.items()))
    return 0 if result["farthest_off_s"] <= TOLERANCE_S and result["back_worst_s"] <= BACK_S else 1


def one_round(folder: Path) -> tuple[float, float]:
    """Seconds from the last datagram to the verdict, and from the return of the feed to its arrival."""
    encoder = ["srt-live-transmit", "-a:yes", "-q", "udp://127.0.0.1:5555", "srt://127.0.0.1:4000?mode=caller"]
    with (
        UdpReceiver("127.0.0.1", 5001, folder / "out.ts") as receiver,
        Server(folder / "server", [route(1, listener(4000), udp(5001))]) as server,
        subprocess.Popen(encoder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as sender,
    ):
        feed = Feed(5555)
        try:
            until(lambda: size(receiver.file) > 100_000, 30)
            feed.on = False
            until(lambda: "unhealthy: no bandwidth" in server.log(), 60)
            noticed = time.monotonic() - feed.last
            until(lambda: server.processes("route_1")["srt"]["connection"] == "connected", 30)
            at, began, feed.on = size(receiver.file), time.monotonic(), True
            until(lambda: size(receiver.file) > at, 30)
            back = time.monotonic() - began
        finally:
            feed.close()
            sender.kill()
    return noticed, back


def size(file: Path) -> int:
    """Bytes that have arrived."""
    return file.stat().st_size if file.exists() else 0


if __name__ == "__main__":
    sys.exit(main())
