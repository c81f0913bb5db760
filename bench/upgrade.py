"""Twenty routes on air while their server is killed and started again a hundred times, and replaced in place.

    python3 tests/harness/isolate.py .venv/bin/python bench/upgrade.py --kills 100 --replacements 20 [--seed N]

Every route has a real source (2 Mb/s over SRT) and a real client (SRT). The server runs with ON_START=adopt. Then
routes.json is edited while no server runs: exactly the edited legs may be restarted. Last, a server with four hundred
processes is killed, and the next one says how long it took to take them over. Prints a line of JSON at the end; any
continuity error, changed or doubled PID, or orphan ends it with an assertion.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import signal
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.harness.isolate import is_isolated
from tests.harness.processes import media, tags
from tests.harness.server import Json, Server, listener, route
from tests.harness.wait import until
from tests.media.generate import Picture, make
from tests.media.receivers import SrtReceiver
from tests.media.senders import SrtSender
from tests.media.srt_url import SrtUrl
from tests.media.transport_stream import check

TWO_MBPS = Picture("640x360", 2, 10)
_BATCH = 10
"""After so many deeds the streams are looked through: what was received lies in memory."""
_PATIENCE_S = 120
"""What is measured is how long it takes; a machine that is busy otherwise ends nothing."""
_S_PER_DEED = 12
"""The stream is so long; what is left of it is not waited for."""
_WENT_ON = re.compile(r" goes on, \S+ went before: it took ([0-9.]+) s")
_TOOK_OVER = re.compile(r"Read the process table in (\d+) ms, then took (\d+) process\(es\) over in (\d+) ms")


@dataclass
class Show:
    """Everything that is on air."""

    folder: Path
    numbers: range
    seed: int
    routes: list[Json] = field(init=False)
    server: Server = field(init=False)
    pids: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)  # noqa: S311 - repeatable
        self.routes = [_route(number) for number in self.numbers]
        self.server = Server(self.folder / "server", self.routes, ON_START="adopt")
        self.server.patience_s = _PATIENCE_S

    def processes(self) -> dict[str, int]:
        """PID of every process of every route, as the API tells it."""
        items = self.server.api.get("/api/routes").json()["items"]
        return {f"{one['id']}_{each['type']}": each["pid"] for one in items for each in one["processes"]}

    def check_processes(self) -> None:
        """None has changed, none is double, and none is there beside them."""
        assert self.processes() == self.pids, "a PID has changed"
        alive = [pid for pid in media() if tags(pid).get("SRT_ROUTER_ROUTE", "").startswith("route_")]
        assert sorted(alive) == sorted(self.pids.values()), "a process is doubled, or nobody's"

    def kill(self) -> None:
        """At a random moment: also while the server is still starting."""
        self.server.kill()
        time.sleep(self.random.uniform(0, 0.3))
        if self.random.random() < 0.5:
            self.server.launch()
            time.sleep(self.random.uniform(0, 1.5))
            self.server.kill()
        self.server.start()

    def silences(self) -> list[float]:
        """Median, lowest and highest time from the exec to the first answer, of every replacement so far."""
        found = sorted(map(float, _WENT_ON.findall(self.server.log())))
        return [statistics.median(found), found[0], found[-1]] if found else []

    def replace(self) -> None:
        """Go on as another program."""
        before = self.server.log().count(" goes on, ")
        assert self.server.process is not None
        self.server.process.send_signal(signal.SIGHUP)
        until(lambda: self.server.log().count(" goes on, ") > before, _PATIENCE_S, "the next program to go on")


def _route(number: int) -> Json:
    return route(number, listener(10000 + number * 10), listener(10001 + number * 10))


def on_air(show: Show, kills: int, replacements: int) -> Json:
    """Kill and replace while everything flows, and then edit."""
    stream = make(TWO_MBPS, 20 + _BATCH * _S_PER_DEED)
    deeds = ["kill"] * kills + ["replace"] * replacements
    show.random.shuffle(deeds)
    batches = [deeds[at : at + _BATCH] for at in range(0, len(deeds), _BATCH)]
    times: dict[str, list[float]] = {"kill": [], "replace": []}
    errors, received = 0, 0
    with show.server.start():
        for number in show.numbers:
            show.server.until_all_up(f"route_{number}")
        show.pids = show.processes()
        for done, batch in enumerate(batches, 1):
            found = _batch(show, stream, batch, times)
            errors += sum(each for each, _ in found)
            received += sum(size for _, size in found)
            print(f"batch {done} of {len(batches)} ({len(batch)} deeds): {errors} continuity errors so far", flush=True)
        edited = edit(show)
    return {
        "kills": kills,
        "replacements": replacements,
        "continuityErrors": errors,
        "receivedMB": round(received / 1e6),
        "medianReplacementS": _median(times["replace"]),
        "silenceOfApiS": show.silences(),
        **edited,
    }


def _batch(show: Show, stream: Path, deeds: list[str], times: dict[str, list[float]]) -> list[tuple[int, int]]:
    """Some kills and replacements. By client: continuity errors, and bytes received."""
    with ExitStack() as stack:
        clients = []
        for number in show.numbers:
            url = SrtUrl(10001 + number * 10, "caller")
            clients.append(stack.enter_context(SrtReceiver(url, show.folder / f"{number}.ts")))
        for client in clients:
            client.wait_connected()
        urls = [SrtUrl(10000 + number * 10, "caller") for number in show.numbers]
        senders = [stack.enter_context(SrtSender(stream, url)) for url in urls]
        for sender in senders:
            sender.wait_connected()
        for deed in deeds:
            began = time.monotonic()
            show.kill() if deed == "kill" else show.replace()
            times[deed].append(time.monotonic() - began)
            show.check_processes()
        assert not any(sender.all_events("sent") for sender in senders), "the stream was too short: raise _S_PER_DEED"
        assert not any(client.all_events("disconnected") for client in clients)
        for tool in (*senders, *clients):
            tool.stop()
        found = [(check(one.file).continuity_total, one.file.stat().st_size) for one in clients]
        for client in clients:
            client.file.unlink()
    return found


def edit(show: Show) -> Json:
    """Change every fifth route while no server runs; only what was changed is restarted."""
    show.server.kill()
    changed = {f"route_{number}_srtOut:{10001 + number * 10}" for number in show.numbers if number % 5 == 0}
    routes = [
        {**_route(n), "destinations": [listener(10001 + n * 10, latency=200)]} if n % 5 == 0 else _route(n)
        for n in show.numbers
    ]
    show.server.write_routes(routes)
    show.server.start()
    for number in show.numbers:
        show.server.until_all_up(f"route_{number}")
    now = show.processes()
    restarted = {name for name, pid in now.items() if show.pids[name] != pid}
    assert restarted == changed, f"restarted: {restarted}"
    show.pids = now
    show.check_processes()
    return {"editedLegs": len(changed), "restartedLegs": len(restarted)}


def many(folder: Path, processes: int) -> Json:
    """How long the next server takes to take over so many processes, once it has read the process table."""
    routes = [
        route(n, listener(20000 + n * 4), *(listener(20000 + n * 4 + leg) for leg in (1, 2, 3)))
        for n in range(1, processes // 4 + 1)
    ]
    server = Server(folder / "many", routes, ON_START="adopt")
    server.patience_s = _PATIENCE_S
    with server.start():
        until(lambda: len(server.pid_files()) >= processes, _PATIENCE_S, "every process to be started")
        found = []
        for number in range(1, 6):
            server.kill()
            server.start()
            read, many_, took = map(int, _TOOK_OVER.findall(server.log())[-1])
            print(f"adoption {number} of 5: process table {read} ms, taken over in {took} ms", flush=True)
            assert many_ == processes, f"{many_} of {processes} were taken over"
            found.append((read, took))
    return {
        "adopted": processes,
        "readProcessTableMs": [read for read, _ in found],
        "takeOverMs": [took for _, took in found],
    }


def _median(values: list[float]) -> float | None:
    return round(statistics.median(values), 2) if values else None


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--replacements", type=int, default=20)
    parser.add_argument("--routes", type=int, default=20)
    parser.add_argument("--processes", type=int, default=400)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))  # noqa: S311
    wanted = parser.parse_args()
    if not is_isolated():
        sys.exit("this kills processes: run it through tests/harness/isolate.py")
    print(f"seed {wanted.seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="upgrade-"))
    result: Json = {"routes": wanted.routes, "seed": wanted.seed}
    result |= on_air(Show(folder, range(1, wanted.routes + 1), wanted.seed), wanted.kills, wanted.replacements)
    assert not media(), f"left alive: {media()}"
    if wanted.processes:
        result |= many(folder, wanted.processes)
    print(json.dumps(result))
    assert result["continuityErrors"] == 0


if __name__ == "__main__":
    main()
