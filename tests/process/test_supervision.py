"""Supervision from outside, where things happen at the same time, or the machine has run out of something."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.harness.processes import media, tags
from tests.harness.server import Json, Server, caller, listener, route, routes_json, udp
from tests.harness.wait import until


def settled(server: Server) -> bool:
    """Every demanded process runs, none else, and the PID files say so."""
    found = {
        f"{one['id']}_{process['type']}": process
        for one in server.api.get("/api/routes").json()["items"]
        for process in one["processes"]
    }
    if not all(process["state"] == "running" for process in found.values()):
        return False
    pids = {name: process["pid"] for name, process in found.items()}
    running = {f"{tag['SRT_ROUTER_ROUTE']}_{tag['SRT_ROUTER_PROCESS']}": pid for pid in media() if (tag := tags(pid))}
    return pids == running == server.pid_files() and len(media()) == len(pids)


def test_a_hand_edit_starts_nothing_that_was_stopped(tmp_path: Path) -> None:
    with Server(tmp_path, [route(1, listener(4000)), route(2, listener(4100))]) as server:
        server.until_all_up("route_1")
        assert server.post("/api/routes/route_1/stop").json()["status"] == "stopped"
        server.write_routes([route(2, listener(4100)), route(1, listener(4000), name="Another name")])
        until(lambda: server.route("route_1")["name"] == "Another name")
        server.write_routes([route(3, listener(4300)), route(2, listener(4100)), route(1, listener(4000))])
        server.until_status("route_3", "waiting")
        assert server.route("route_1")["status"] == "stopped"
        assert [one["id"] for one in server.api.get("/api/routes").json()["items"]] == ["route_3", "route_2", "route_1"]


def test_statistics_survive_a_restart(tmp_path: Path) -> None:
    with Server(tmp_path, [route(1, listener(4000), udp(5001), testSource=True)]) as server:

        def sample() -> Json | None:
            processes = server.api.get("/api/routes/route_1/stats").json()["processes"]
            found: Json | None = {process["type"]: process["report"] for process in processes}.get("srt")
            return found

        until(sample, what="the first statistics")
        assert server.post("/api/routes/route_1/restart").status_code == 200
        since = time.time_ns() // 1_000_000
        until(lambda: (found := sample()) and found["at"] > since, what="new ones")


def test_orders_at_the_same_time_are_all_answered(tmp_path: Path) -> None:
    with Server(tmp_path, [route(1, listener(4000), listener(4001))]) as server:
        server.until_all_up("route_1")
        answers: list[int] = []

        def order(what: str) -> None:
            with httpx.Client(base_url=server.api.base_url, headers=server.signed_in(), timeout=15) as client:
                answers.append(client.post(f"/api/routes/route_1/{what}").status_code)

        for _ in range(4):
            orders = [threading.Thread(target=order, args=[what]) for what in ("restart", "stop", "start", "restart")]
            for thread in orders:
                thread.start()
            for thread in orders:
                thread.join()
        assert len(answers) == 16
        assert set(answers) <= {200, 409}
        assert server.post("/api/routes/route_1/start").status_code == 200
        until(lambda: settled(server))


def test_an_order_for_a_route_that_is_removed_is_answered(tmp_path: Path) -> None:
    with Server(tmp_path, [route(1, listener(4000))]) as server:
        server.until_all_up("route_1")
        answers: list[int] = []

        def restart_until_gone() -> None:
            with httpx.Client(base_url=server.api.base_url, headers=server.signed_in(), timeout=15) as client:
                while not answers or answers[-1] != 404:
                    answers.append(client.post("/api/routes/route_1/restart").status_code)

        threads = [threading.Thread(target=restart_until_gone) for _ in range(3)]
        for thread in threads:
            thread.start()
        until(lambda: len(answers) > 3)
        server.write_routes([route(2, listener(4100))])
        for thread in threads:
            thread.join()
        assert set(answers) <= {200, 404, 409}
        until(lambda: settled(server))


FEW_FILES = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
from srt_router.cli.app import main
main()
"""


def test_too_few_descriptors_leave_no_process_unwatched(tmp_path: Path) -> None:
    server = Server(tmp_path, [route(number, listener(4000 + number)) for number in range(1, 31)])
    server.module = ["-c", FEW_FILES, "serve"]
    server.launch()
    log = until(lambda: server.log() if "Too many open files" in server.log() else "", what="descriptors to run out")
    assert "Traceback" not in log
    until(lambda: media() and set(server.pid_files().values()) == set(media()), what="a PID file for each process")
    assert server.stop() == 0, server.log()[-5000:]
    assert not media()
    assert not server.pid_files()


def test_a_stop_during_the_start_is_quick_and_leaves_nothing(tmp_path: Path) -> None:
    routes = [route(number, listener(4000 + 2 * number), listener(4001 + 2 * number)) for number in range(1, 21)]
    server = Server(tmp_path, routes)
    for words in ("Found srt-live-transmit", "Cleaning up", "Starting 20", "route_1 is starting", " answers at "):
        server.log_file.unlink(missing_ok=True)
        server.launch()
        until(lambda words=words: words in server.log())  # type: ignore[misc]
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 5
        assert not media()
        assert not server.pid_files()
        assert "Traceback" not in server.log()


def test_a_stop_during_a_hand_edit_leaves_nothing(tmp_path: Path) -> None:
    for number in range(3):
        server = Server(tmp_path / str(number), [route(1, listener(4000)), route(2, listener(4100))]).start()
        server.until_all_up("route_1")
        server.write_routes([route(1, listener(4001)), *(route(n, listener(4000 + n * 10)) for n in range(3, 30))])
        until(lambda server=server: "route_2 was removed" in server.log())  # type: ignore[misc]
        assert server.stop() == 0
        assert not media()
        assert not server.pid_files()


def test_a_terminal_that_closes_does_not_stop_what_nohup_started(tmp_path: Path) -> None:
    server = Server(tmp_path, [route(1, listener(4000))])
    server.module = ["-c", NOHUP, "serve"]
    with server.start():
        pid = server.until_all_up("route_1")["srt"]["pid"]
        assert server.process is not None
        server.process.send_signal(signal.SIGHUP)
        os.kill(pid, signal.SIGKILL)
        until(lambda: server.processes("route_1")["srt"]["pid"] not in (None, pid))
        assert server.processes("route_1")["srt"]["signal"] == signal.SIGKILL


NOHUP = """
import signal
signal.signal(signal.SIGHUP, signal.SIG_IGN)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
from srt_router.cli.app import main
main()
"""
"""Also with SIGCHLD ignored, as some launchers leave it: the kernel would reap, and no end would be known."""


CRASHES = """
import os
from pathlib import Path
from srt_router.cli.app import main
from srt_router.supervision.route_owner import RouteOwner

before = RouteOwner._take_note

def take_note(self, message):
    if Path(os.environ["CRASH_WHEN"]).exists():
        raise RuntimeError("a mistake of ours")
    before(self, message)

RouteOwner._take_note = take_note
main()
"""


def test_a_crash_of_the_server_ends_every_process_and_says_why(tmp_path: Path) -> None:
    routes = [route(number, listener(4000 + 2 * number), caller(4001 + 2 * number)) for number in range(1, 11)]
    server = Server(tmp_path, routes)
    server.module = ["-c", CRASHES, "serve"]
    server.start(environment={"CRASH_WHEN": str(tmp_path / "now")})
    assert server.process is not None
    until(lambda: len(media()) >= 15)
    (tmp_path / "now").touch()
    assert server.process.wait(20) == 1
    assert not media()
    assert "a mistake of ours" in (server.data_dir / "logs" / "srt-router.log").read_text()
    server.api.close()


def test_methods_that_only_look(tmp_path: Path) -> None:
    with Server(tmp_path, [route(1, listener(4000))]) as server:
        assert server.api.head("/api/health").status_code == 200
        refused = server.api.request("OPTIONS", "/api/routes")
        assert (refused.status_code, refused.json()["code"]) == (405, "methodNotAllowed")
        assert "GET" in refused.headers["allow"]


# Everything at the same time

FIVE = (
    route(1, listener(4000), listener(4001), listener(4002)),
    route(2, listener(4100), udp(5100), listener(4101)),
    route(3, udp(4200), listener(4201), udp(5200)),
    route(4, listener(4300), listener(4301), testSource=True),
    route(5, listener(4400)),
)


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_happens_the_demanded_processes_run_in_the_end(tmp_path: Path, seed: int) -> None:
    """Orders, hand edits and `kill -9` in random order, many at a time."""
    dice = random.Random(seed)  # noqa: S311 - no secret: a seed makes the same mess again
    with Server(tmp_path, FIVE) as server:
        until(lambda: settled(server))
        until_s = time.monotonic() + 8
        client = httpx.Client(base_url=server.api.base_url, headers=server.signed_in(), timeout=20)
        with client, ThreadPoolExecutor(6) as threads:
            answers = []
            while time.monotonic() < until_s:
                answers.append(threads.submit(disturb, server, client, dice.random(), dice.choice(FIVE)))
                if len(answers) % 6 == 0:
                    answers[-6].result(20)
            found = [answer.exception(20) or answer.result() for answer in answers]
            assert set(found) <= {None, 200, 409}, server.api.get("/api/routes").text
        server.write_routes(FIVE)
        started = [server.post(f"/api/routes/{one['id']}/start").status_code for one in FIVE[:4]]
        assert started == [200] * 4
        assert server.post("/api/routes/route_5/stop").status_code == 200
        until(lambda: server.route("route_1")["destinations"][0]["endpoint"]["latency"] == 120)
        until(lambda: settled(server), 40, "exactly the demanded processes")
        until(lambda: len(server.pid_files()) == 3 + 3 + 2 + 3)
    assert not media()
    assert not server.pid_files()


def disturb(server: Server, client: httpx.Client, chance: float, victim: Json) -> int | None:
    """One thing that happens."""
    if chance < 0.2:
        changed = {**victim, "destinations": [{**victim["destinations"][0]}] if victim["destinations"] else []}
        for end in changed["destinations"]:
            end |= {"latency": 120 + int(chance * 1000)} if end["type"] == "srt" else {"ttl": 7}
        write_whole(server, [changed if one is victim else one for one in FIVE])
        return None
    if chance < 0.55:
        pids = sorted(media()) or [0]
        pid = pids[int(chance * 1000) % len(pids)]
        if "SRT_ROUTER_NONCE" in tags(pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return None
    order = ("start", "stop", "restart")[int(chance * 1000) % 3]
    return client.post(f"/api/routes/{victim['id']}/{order}").status_code


def write_whole(server: Server, routes: list[Json]) -> None:
    """A hand edit by an editor that replaces the file."""
    temp = server.data_dir / f"edit-{threading.get_ident()}"
    temp.write_text(routes_json(routes))
    temp.replace(server.data_dir / "routes.json")
