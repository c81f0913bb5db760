"""Fault injection: a server with many routes is killed at random moments, its files are damaged, it starts again.

After each round: the live media processes are exactly those that the routes demand, PID files match, every
stranger lives and has felt nothing. Every round has a generator of its own, so it can be replayed alone.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from srt_router.processes.crashpoint import NAMES, VARIABLE
from srt_router.processes.tag import DATA_DIR, INSTANCE, NONCE, PROCESS, ROUTE
from tests.harness.processes import alive, media, tags
from tests.harness.server import Json, caller, listener, route, udp
from tests.harness.wait import until
from tests.process.bystanders import Crowd, Installation
from tests.process.warm_server import Warm, kill

SETTLE_S = 30.0
CLEANED = b"[RouteManager] Orphan cleanup: "


def mixed_routes(count: int) -> tuple[list[Json], set[str]]:
    """Listeners, callers (to one another, so that they connect) and UDP; and the names of their processes."""
    routes, names = [], set()
    for number in range(1, count + 1):
        port = 10_000 + 20 * number
        out: list[Json] = [listener(port + 1)]
        names |= {f"route_{number}_srt", f"route_{number}_srtOut:{port + 1}"}
        if number % 3 == 0:
            out.append(udp(port + 2))
            names.add(f"route_{number}_udpDuplicator")
        elif number % 3 == 2:
            out.append(caller(port - 20))  # the source of the route before
            names.add(f"route_{number}_srtOut:{port - 20}")
        routes.append(route(number, listener(port), *out))
    return routes, names


@dataclass
class Round:
    """What was done in one round."""

    number: int
    did: list[str] = field(default_factory=list)
    seconds: float = 0.0


class FaultEngine:
    """One box under fire."""

    def __init__(self, folder: Path, people: Crowd, routes: int, seed: int, *, adopt: bool = False) -> None:
        self.seed = seed
        self._adopt = adopt
        self.server_kills = 0
        self.log = folder / "server.log"
        self._people = people
        self._folder = folder
        self._data, self._pids = folder / "data", folder / "pids"
        self._data.mkdir(parents=True, mode=0o750)
        found, self.demanded = mixed_routes(routes)
        (self._data / "routes.json").write_text(json.dumps({"version": 1, "routes": found}))
        self._neighbour = Installation(folder / "neighbour")
        self._neighbour.data.lock("DATA_DIR")
        self._bring_people()
        self.log.touch()
        self._warm = Warm()
        self._server: int | None = None
        self._said_before = 0
        self._start()
        self._settle()

    def close(self) -> None:
        """End the server and everything of it."""
        if self._server is not None and alive(self._server):
            os.kill(self._server, signal.SIGTERM)
            until(lambda: not alive(self._server or 0), what="the server to stop")
        self._warm.close()
        self._neighbour.close()

    def _bring_people(self) -> None:
        self._people.usual_strangers()
        self._people.recorder("second")
        for number in range(2):  # a second router that lives
            tag = self._neighbour.tag(route=f"route_{number + 1}")
            self._people.strangers.append(self._people.srt_live_transmit(9000 + number, tag))

    # One round

    def round(self, number: int) -> Round:
        """Kill, damage, start again, check. AssertionError names the seed and what was done."""
        dice = random.Random(f"{self.seed}:{number}")  # noqa: S311
        done = Round(number)
        began = time.monotonic()
        try:
            self._kill_somehow(dice, done)
            for fault in dice.sample(FAULTS, dice.randint(0, 3)):
                done.did.append(fault.__name__)
                fault(self, dice)
            self._start()
            self._settle()
        except AssertionError as error:
            said = self.log.read_text()[-8000:]
            raise AssertionError(f"seed {self.seed}, round {number}, {done.did}: {error}\n{said}") from error
        done.seconds = time.monotonic() - began
        return done

    def _kill_somehow(self, dice: random.Random, done: Round) -> None:
        how = dice.choice(("settled", "churning", "starting", "starting", "at a crash point", "at a crash point"))
        done.did.append(f"killed {how}")
        if how == "churning":
            self._kill_children(dice, dice.randint(1, 6))
            time.sleep(dice.uniform(0, 0.03))
        self._kill()
        if how == "starting":
            for _ in range(dice.randint(1, 2)):
                self._start()
                time.sleep(dice.uniform(0, 0.5))
                self._kill()
        elif how == "at a crash point":
            name = dice.choice(sorted(NAMES))
            self._start({VARIABLE: f"{name}:{dice.randint(1, 5)}"})
            done.did.append(name)
            limit = time.monotonic() + dice.uniform(0.1, 0.5)
            while self._lives() and time.monotonic() < limit:
                time.sleep(0.005)
            self._kill()

    def _start(self, environment: dict[str, str] | None = None) -> None:
        settings = {"DATA_DIR": self._data, "PID_DIR": self._pids, "RUN_DIR": self._folder / "run", "PORT": "0"}
        settings["ON_START"] = "adopt" if self._adopt else "clean"
        own = {f"SRT_ROUTER_{key}": str(value) for key, value in settings.items()}
        self._said_before = self.log.stat().st_size
        self._server = self._warm.start({**own, **(environment or {})}, self.log)

    def _lives(self) -> bool:
        return self._server is not None and alive(self._server)

    def _kill(self) -> None:
        assert self._server is not None
        kill(self._server)
        self.server_kills += 1

    # What must be true afterwards

    def _settle(self) -> None:
        """Right at two looks one after the other: a caller whose peer was killed five seconds ago may just leave."""
        limit = time.monotonic() + SETTLE_S
        right = 0
        while right < 2:
            wrong = self._wrong()
            right = 0 if wrong else right + 1
            assert not wrong or time.monotonic() < limit, wrong
            time.sleep(0.02)
        self._people.check_strangers()

    def _wrong(self) -> str:
        assert self._lives(), "the server ended"
        if CLEANED not in self.log.read_bytes()[self._said_before :]:
            return "the server has not cleaned up yet"  # what lives may still be its predecessor's
        mine = {pid: _name(pid) for pid in self._media()}
        twice = sorted(mine.values()) != sorted(set(mine.values()))
        files = self._files()
        if twice or set(mine.values()) != self.demanded:
            return f"live: {sorted(mine.values())}, demanded: {sorted(self.demanded)}"
        if files != {name: pid for pid, name in mine.items()}:
            return f"PID files: {files}, processes: {mine}"
        return ""

    def _media(self) -> list[int]:
        strangers = {process.pid for process in self._people.strangers}
        return [pid for pid in media() if pid not in strangers]

    def _files(self) -> dict[str, int]:
        found = {}
        for path in self._pids.glob("*.pid"):
            try:
                found[path.stem] = int(path.read_text().split("\n")[0]) if path.is_file() else -1
            except (OSError, ValueError):
                found[path.stem] = -1
        return found

    # Faults

    def _kill_children(self, dice: random.Random, count: int) -> None:
        here = self._media()
        for pid in dice.sample(here, min(count, len(here))):
            _signal(pid, signal.SIGKILL)

    def _some_files(self, dice: random.Random) -> list[Path]:
        files = sorted(path for path in self._pids.glob("*.pid") if path.is_file() and not path.is_symlink())
        return dice.sample(files, min(len(files), dice.randint(1, 8)))

    def children_killed(self, dice: random.Random) -> None:
        self._kill_children(dice, 8)

    def children_stopped(self, dice: random.Random) -> None:
        here = self._media()
        for pid in dice.sample(here, min(5, len(here))):
            _signal(pid, signal.SIGSTOP)

    def directory_wiped(self, dice: random.Random) -> None:
        for path in self._pids.iterdir() if self._pids.is_dir() else ():
            path.unlink()
        if self._pids.is_dir() and dice.random() < 0.5:
            self._pids.rmdir()

    def files_truncated(self, dice: random.Random) -> None:
        for path in self._some_files(dice):
            os.truncate(path, dice.randint(0, 3))

    def files_garbled(self, dice: random.Random) -> None:
        for path in self._some_files(dice):
            path.write_bytes(dice.randbytes(dice.randint(0, 200)))

    def files_swapped(self, dice: random.Random) -> None:
        files = self._some_files(dice)
        texts = [path.read_bytes() for path in files]
        dice.shuffle(texts)
        for path, text in zip(files, texts, strict=True):
            path.write_bytes(text)

    def files_forged(self, dice: random.Random) -> None:
        if not self._pids.is_dir():
            return
        strangers = [process.pid for process in self._people.strangers]
        targets = [1, 0, -1, os.getpid(), os.getppid(), 4_194_304, *strangers]
        for number in range(dice.randint(1, 6)):
            ages = (0, 10**12, time.time_ns() // 10**6)
            name = dice.choice([*sorted(self.demanded), f"route_9{number}_srt"])
            (self._pids / f"{name}.pid").write_text(f"{dice.choice(targets)}\n{dice.choice(ages)}\n")

    def traps_laid(self, dice: random.Random) -> None:
        if not self._pids.is_dir():
            return
        trap = self._pids / f"route_{dice.randint(50, 60)}_srt.pid"
        if not trap.exists() and not trap.is_symlink():
            dice.choice((os.mkfifo, lambda path: path.symlink_to("/proc/self/stat")))(trap)

    def orphans_added(self, dice: random.Random) -> None:
        try:
            instance = (self._data / "instance-id").read_text().strip()
        except OSError:
            instance = "lost"
        tag = {INSTANCE: instance, DATA_DIR: str(self._data), NONCE: "n", ROUTE: "route_1", PROCESS: "srt"}
        self._people.imitation(tag, ignore_term=dice.random() < 0.1)
        self._people.ffmpeg(7000, {**tag, PROCESS: "ffmpeg"})
        if (self._data / "instance-id").exists():  # an installation without a name starts for the first time
            self._people.imitation()

    def name_lost(self, dice: random.Random) -> None:
        """The installation's UUID is gone; DATA_DIR in the tags still tells whose they are."""
        untagged = [pid for pid in self._media() if not tags(pid)]
        if not untagged and dice.random() < 0.3:
            (self._data / "instance-id").unlink(missing_ok=True)


FAULTS: list[Callable[[FaultEngine, random.Random], None]] = [
    FaultEngine.children_killed,
    FaultEngine.children_stopped,
    FaultEngine.directory_wiped,
    FaultEngine.files_truncated,
    FaultEngine.files_garbled,
    FaultEngine.files_swapped,
    FaultEngine.files_forged,
    FaultEngine.traps_laid,
    FaultEngine.orphans_added,
    FaultEngine.name_lost,
]


def _name(pid: int) -> str:
    tag = tags(pid)
    if not tag:
        return f"untagged {pid}: {_read(pid, 'cmdline')!r} {_read(pid, 'stat')!r} {_read(pid, 'environ')!r}"
    return f"{tag.get(ROUTE)}_{tag.get(PROCESS)}"


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes().decode("utf-8", "replace")[:300]
    except OSError as error:
        return str(error)


def _signal(pid: int, signum: int) -> None:
    if alive(pid):
        os.kill(pid, signum)
