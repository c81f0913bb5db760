"""Thumbnails of real streams: made while somebody looks, of what is on air now, and by nothing that is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
from functools import partial
from pathlib import Path

import httpx
import pytest

from srt_router.transport_stream.thumbnails import PATIENCE_S, ThumbnailMaker
from srt_router.transport_stream.turns import Turns
from tests.harness.processes import alive, tags
from tests.harness.server import Server, listener, route, udp
from tests.harness.wait import until
from tests.media.generate import HD_6_MBPS, make
from tests.media.senders import SrtSender
from tests.media.srt_url import SrtUrl

MONITOR = "server_streamMonitor"
PATH = "/api/routes/route_1/thumbnail"
PASSPHRASE = "correct-horse-42"


def code(server: Server, path: str = PATH) -> str:
    """Why there is no picture; empty where there is one."""
    answer = server.api.get(path)
    return "" if answer.status_code == 200 else str(answer.json()["code"])


def until_picture(server: Server, path: str = PATH, unlike: str | None = None, timeout_s: float = 40) -> httpx.Response:
    """Wait for a picture, another one than `unlike`."""

    def there() -> httpx.Response | None:
        answer = server.api.get(path)
        return answer if answer.status_code == 200 and answer.headers["etag"] != unlike else None

    found = until(there, timeout_s, "a thumbnail")
    assert found is not None
    return found


def size(picture: bytes, tmp_path: Path) -> list[int]:
    """Width and height, as ffprobe sees them."""
    file = tmp_path / "picture.jpg"
    file.write_bytes(picture)
    command = ["ffprobe", "-v", "error", "-show_entries", "stream=width,height", "-of", "csv=p=0", str(file)]
    words = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [int(word) for word in words.strip().split(",")]


def ffmpegs() -> dict[int, dict[str, str]]:
    """Every program that makes a thumbnail, with its tags."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if b"mjpeg" in command and b"image2" in command:
            found[int(folder.name)] = tags(int(folder.name))
    return found


def test_a_picture_of_what_is_on_air_that_changes_with_it(tmp_path: Path) -> None:
    routes = [route(1, listener(4000), udp(5001), testSource=True), route(2, listener(4002), autoStart=False)]
    with Server(tmp_path / "server", routes) as server:
        server.until_status("route_1", "running")
        first = until_picture(server)
        assert first.headers["content-type"] == "image/jpeg"
        assert first.headers["cache-control"] == "no-store"
        assert (int(first.headers["age"]) < 60, bool(first.headers["last-modified"])) == (True, True)
        assert size(first.content, tmp_path) == [320, 180]
        same = server.api.get(PATH, headers={"If-None-Match": first.headers["etag"]})
        assert same.status_code == 304 or same.headers["etag"] != first.headers["etag"]
        until_picture(server, unlike=first.headers["etag"])
        assert code(server, "/api/routes/route_2/thumbnail") == "nothingOnAir"
        assert code(server, "/api/routes/route_9/thumbnail") == "routeNotFound"
        asked = {"route": ["route_1", "route_2", "route_9", "route_1"]}
        items = server.api.get("/api/thumbnails", params=asked).json()["items"]
        assert [(one["routeId"], one["code"]) for one in items] == [
            ("route_1", None), ("route_2", "nothingOnAir"), ("route_9", "routeNotFound"),
        ]  # fmt: skip
        assert (len(items[0]["version"]), items[0]["at"] > 0, items[1]["at"]) == (16, True, None)
        server.post("/api/routes/route_1/stop")
        assert code(server) == "nothingOnAir"
        assert not ffmpegs()


@pytest.mark.long
@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("hevc", ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none:keyint=25"]),
        ("mpeg2", ["-c:v", "mpeg2video", "-g", "12", "-aspect", "4:3"]),
    ],
)
def test_other_codecs_through_an_encrypted_link(tmp_path: Path, codec: str, options: list[str]) -> None:
    file = tmp_path / f"{codec}.ts"
    source = ["-f", "lavfi", "-i", "testsrc2=size=720x576:rate=25", "-t", "14", "-b:v", "2M"]
    subprocess.run(["ffmpeg", "-v", "error", *source, *options, "-f", "mpegts", str(file)], check=True)
    with Server(tmp_path / "server", [route(1, listener(4000, passphrase=PASSPHRASE))]) as server:
        server.until_status("route_1", "waiting")
        assert code(server) == "nothingOnAir"
        with SrtSender(file, SrtUrl(4000, "caller", passphrase=PASSPHRASE)) as sender:
            width, height = size(until_picture(server).content, tmp_path)
            assert (width, height) == (320, 240 if codec == "mpeg2" else 256)
            assert sender.wait_end(60) == 0
        until(lambda: code(server) == "nothingOnAir", what="the silence to be noticed")


def test_sound_alone_shows_none(tmp_path: Path) -> None:
    file = tmp_path / "sound.ts"
    source = ["-f", "lavfi", "-i", "sine", "-t", "30", "-c:a", "mp2", "-f", "mpegts"]
    subprocess.run(["ffmpeg", "-v", "error", *source, str(file)], check=True)
    with Server(tmp_path / "server", [route(1, listener(4000))]) as server:
        server.until_status("route_1", "waiting")
        with SrtSender(file, SrtUrl(4000, "caller")):
            until(lambda: code(server) == "noPicture", 30, "what it says of a stream without a picture")


def test_they_can_be_switched_off_and_then_cost_nothing(tmp_path: Path) -> None:
    with Server(tmp_path / "server", [route(1, listener(4000), testSource=True)], THUMBNAILS="false") as server:
        server.until_status("route_1", "running")
        assert code(server) == "thumbnailsOff"
        until(lambda: server.pid_files().get(MONITOR), what="the monitor")
        assert "thumbnails" not in (server.run_dir / f"{MONITOR}.json").read_text()


def test_none_is_made_until_somebody_asks(tmp_path: Path) -> None:
    with Server(tmp_path / "server", [route(1, listener(4000), testSource=True)]) as server:
        server.until_status("route_1", "running")
        orders = server.run_dir / f"{MONITOR}.json"
        until(orders.exists, what="the monitor")
        assert '"thumbnails": []' in orders.read_text()
        assert code(server) in ("thumbnailPending", "nothingOnAir")
        until(lambda: '"thumbnails": [["239.' in orders.read_text(), what="the order to make one")


def ended(pid: int) -> bool:
    return not alive(pid)


def slow_ffmpeg(folder: Path) -> Path:
    """An ffmpeg that never comes to an end when it is to make a thumbnail."""
    folder.mkdir()
    program = folder / "ffmpeg"
    program.write_text('#!/bin/sh\ncase "$*" in *image2*) sleep 600;; *) exec /usr/bin/ffmpeg "$@";; esac\n')
    program.chmod(0o755)
    return program


@pytest.mark.long
def test_nothing_is_left_however_server_or_monitor_ends(tmp_path: Path) -> None:
    environment = {"PATH": f"{slow_ffmpeg(tmp_path / 'bin').parent}:{os.environ['PATH']}"}
    server = Server(tmp_path / "server", [route(1, listener(4000), testSource=True)])
    with server.start(environment=environment):
        for end in ("monitor", "server", "order"):
            server.until_status("route_1", "running")
            until(lambda: code(server) and len(ffmpegs()) == 1, 30, "the program that makes a thumbnail")
            (pid,) = ffmpegs()
            found = ffmpegs()[pid]
            assert (found["SRT_ROUTER_ROUTE"], found["SRT_ROUTER_PROCESS"]) == ("server", "streamMonitor")
            assert os.sched_getscheduler(pid) == os.SCHED_IDLE
            assert server.api.get("/api/orphans").json()["items"] == []
            if end == "monitor":
                os.kill(server.pid_files()[MONITOR], signal.SIGKILL)
            elif end == "server":
                server.kill()
                server.start(environment=environment)
            else:
                assert server.stop() == 0
                assert not list(server.run_dir.glob("*.thumbnail.*"))
                assert not alive(pid)
            until(partial(ended, pid), what="its end")


class Bench:
    """A maker of thumbnails whose clock is ours."""

    def __init__(self, folder: Path, command: tuple[str, ...] = ("ffmpeg",)) -> None:
        self.told: list[dict[str, object]] = []
        self.folder = folder
        self.maker = ThumbnailMaker(
            str(folder / "x"), lambda key, told: self.told.append({"key": key, **told}), Turns(0.1), command
        )

    def answers(self, now: float, count: int) -> None:
        """Wait until so much has been told."""

        def told() -> bool:
            self.maker.look(now)
            return len(self.told) >= count

        until(told, what=f"{count} answers")

    def capture(self, stream: bytes, now: float) -> None:
        """Let a piece pass, and have ffmpeg started."""
        self.maker.look(now)
        assert self.maker.wants("a")
        self.maker.take("a", stream)
        self.maker.look(now + 3)


def test_one_that_hangs_is_ended_after_its_time(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    bench = Bench(tmp_path / "run", (str(slow_ffmpeg(tmp_path / "bin")),))
    bench.maker.follow(["a"], 0.1)
    bench.capture(b"x" * 188, 100)
    pid = min(until(ffmpegs))  # a shell, which may have forked by now
    bench.maker.look(103 + PATIENCE_S - 1)
    assert alive(pid)
    bench.maker.look(103 + PATIENCE_S)
    assert not alive(pid)
    assert [(one["key"], "within" in str(one["error"])) for one in bench.told] == [("a", True)]
    assert list(bench.folder.iterdir()) == []


def test_a_longer_piece_is_taken_where_the_first_showed_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.maker.follow(["a"], 0.1)
    good = make(HD_6_MBPS, 3).read_bytes()
    bench.capture(b"x" * 1880, 100)
    bench.answers(103, 1)
    assert "error" in bench.told[0]
    bench.maker.look(110)
    bench.maker.take("a", good)
    bench.maker.look(113)
    assert bench.maker.wants("a"), "it takes longer than the first"
    bench.maker.look(117)
    bench.answers(118, 2)
    assert bench.told[1]["file"] == "x.2.jpg.tmp"
    assert [one.name for one in bench.folder.iterdir()] == ["x.2.jpg.tmp"]
    bench.maker.follow([], 0.1)
    assert list(bench.folder.iterdir()) == []


def test_without_room_or_program_it_says_so(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ("no-such-program",))
    bench.maker.follow(["a"], 0.1)
    bench.capture(b"x" * 188, 100)
    assert "no-such-program cannot be started" in str(bench.told[0]["error"])
    lost = Bench(tmp_path / "gone")
    lost.maker.follow(["a"], 0.1)
    lost.maker.look(100)
    assert "no piece of the stream can be kept" in str(lost.told[0]["error"])
