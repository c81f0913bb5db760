"""Transcodes of real streams: what comes out is what was asked for, whatever comes and goes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from srt_router.routes.bus import Bus
from srt_router.routes.engine import Engine
from srt_router.routes.ffmpeg import transcode_argv
from srt_router.routes.transcode import Transcode
from srt_router.routes.transcode_presets import PRESETS
from tests.harness.server import Server, caller, listener, route, udp
from tests.harness.wait import until
from tests.media.generate import HD_6_MBPS, make
from tests.media.receivers import SrtReceiver, UdpReceiver
from tests.media.senders import SrtSender, UdpSender
from tests.media.srt_url import SrtUrl
from tests.media.transport_stream import NULL_PID, check

SMALL = {"codec": "h264", "preset": "ultrafast", "bitrateKbps": 600, "width": 320, "height": 180, "frameRate": 12}
SWAPPED = {
    "codec": "mp2",
    "bitrateKbps": 128,
    "channels": 2,
    "matrix": [{"output": 2, "input": 1, "gainDb": -6}],
}
"""The only input on the right, half as loud; nothing on the left."""


@pytest.fixture(scope="module")
def stream() -> Path:
    return make(HD_6_MBPS, 12)


@pytest.fixture(scope="module")
def other_stream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another picture on other PIDs, whose clock of 33 bits wraps round after a second."""
    target = tmp_path_factory.mktemp("media") / "other.ts"
    command = """
        ffmpeg -v error -nostdin -f lavfi -i testsrc2=size=720x576:rate=25 -f lavfi -i sine=frequency=880 -t 8
        -c:v libx264 -preset ultrafast -g 25 -b:v 2M -maxrate 2M -bufsize 2M -c:a mp2 -f mpegts
        -mpegts_start_pid 0x300 -output_ts_offset 95442.7
    """
    subprocess.run([*command.split(), str(target)], check=True)
    return target


def transcode(video: object, audio: object, **more: object) -> dict[str, Any]:
    return {"transcode": {"video": video, "audio": audio, **more}}


def probe(file: Path, *entries: str) -> list[dict[str, Any]]:
    """ffprobe's answer, one object per stream."""
    shown = ["-show_entries", f"stream={','.join(entries)}", "-of", "json"]
    answer = subprocess.run(["ffprobe", "-v", "error", *shown, str(file)], check=True, capture_output=True)
    found: list[dict[str, Any]] = json.loads(answer.stdout)["streams"]
    return found


def loudness(file: Path) -> dict[int, float]:
    """Mean level of each channel in dB; silence is below -80."""
    command = ["ffmpeg", "-nostdin", "-hide_banner", "-i", str(file), "-vn", "-af", "astats=measure_overall=none"]
    text = subprocess.run([*command, "-f", "null", "-"], check=True, capture_output=True).stderr.decode()
    found = [line.rpartition(" ")[2] for line in text.splitlines() if "RMS level dB" in line]
    return {channel: max(float(level), -200.0) for channel, level in enumerate(found, 1)}


def progress(server: Server) -> dict[str, Any]:
    """The newest statistics of ffmpeg."""
    processes = server.api.get("/api/routes/route_1/stats").json()["processes"]
    (found,) = [process for process in processes if process["type"] == "ffmpeg"]
    values: dict[str, Any] = (found["report"] or {}).get("values", {})
    return values


SOUNDS = [
    {"codec": "opus", "bitrateKbps": 128},
    {"codec": "opus", "bitrateKbps": 320, "channels": 6},
    *({"codec": "aac", "bitrateKbps": 64 * channels, "channels": channels} for channels in (1, 4, 5, 6, 8)),
    *({"codec": "mp2", "bitrateKbps": 128, "sampleRate": rate} for rate in (16000, 32000, 44100)),
]


@pytest.mark.parametrize(
    "wanted",
    [*(preset.transcode for preset in PRESETS), *({"video": "copy", "audio": sound} for sound in SOUNDS)],
    ids=[*(preset.name for preset in PRESETS), *(json.dumps(sound) for sound in SOUNDS)],
)
def test_ffmpeg_takes_every_preset_and_every_kind_of_sound(wanted: Any, stream: Path, tmp_path: Path) -> None:
    found = Transcode.model_validate(wanted, by_alias=True, by_name=False)
    bus = Bus("239.255.1.1", 20000)
    words = list(transcode_argv(found, bus, bus, Engine((1, 5, 1), "python3", "duplicator.py")))
    words[words.index("-i") + 1] = str(stream)
    words[-1:] = ["-t", "0.6", str(tmp_path / "out.ts")]
    subprocess.run(words, check=True, capture_output=True)
    video, audio = probe(tmp_path / "out.ts", "codec_name", "height", "channels")
    shown = found.video if found.video != "copy" else None
    assert video["codec_name"] == (shown.codec if shown else "h264")
    assert video["height"] == (shown.height if shown and shown.height else 720)
    heard = found.audio if not isinstance(found.audio, str) else None
    assert audio["codec_name"] == (heard.codec if heard else "mp2")
    assert audio["channels"] == (heard.channels if heard else 1)


def test_what_comes_out_is_what_was_asked_for(stream: Path, tmp_path: Path) -> None:
    wanted = transcode(SMALL, SWAPPED, serviceName="Paris small")
    ends = [listener(4001), udp(5001)]
    with (
        UdpReceiver("127.0.0.1", 5001, tmp_path / "udp.ts") as unicast,
        Server(tmp_path / "server", [route(1, listener(4000), *ends, **wanted)]) as server,
    ):
        server.until_status("route_1", "waiting")
        assert server.processes("route_1")["ffmpeg"]["connection"] == "waiting"
        with SrtReceiver(SrtUrl(4001, "caller"), tmp_path / "srt.ts") as client:
            client.wait_connected()
            with SrtSender(stream, SrtUrl(4000, "caller")) as sender:
                found = server.until_status("route_1", "running")
                assert {p["type"] for p in found["processes"]} == {"srt", "ffmpeg", "srtOut:4001", "udpDuplicator"}
                seen = until(lambda: at_pace(progress(server)), what="12 frames a second, once the start is caught up")
                assert seen["frame"] > 0
                assert seen["outTime"] > 0
                assert seen["bitrate"] > 50
                assert sender.wait_end(60) == 0
            server.until_status("route_1", "waiting")
            for receiver in (client, unicast):
                receiver.wait_bytes(400_000)
                receiver.stop()
                judge_small(receiver.file)


def at_pace(values: dict[str, Any]) -> dict[str, Any]:
    """The values, if they are those of a picture of 12 frames a second in real time."""
    return values if 8 < values.get("fps", 0) < 16 and 0.6 < values.get("speed", 0) < 1.4 else {}


def judge_small(file: Path) -> None:
    report = check(file)
    assert report.continuity_total == 0
    assert report.sync_errors == 0
    video, audio = probe(file, "codec_name", "width", "height", "r_frame_rate", "channels", "sample_rate")
    assert (video["codec_name"], video["width"], video["height"], video["r_frame_rate"]) == ("h264", 320, 180, "12/1")
    assert (audio["codec_name"], audio["channels"], audio["sample_rate"]) == ("mp2", 2, "48000")
    levels = loudness(file)
    assert levels[1] < -80 < -40 < levels[2]


@pytest.mark.long
def test_h264_comes_in_and_hevc_goes_out(stream: Path, tmp_path: Path) -> None:
    hevc = {"codec": "hevc", "preset": "ultrafast", "bitrateKbps": 400, "width": 320, "height": 180, "frameRate": 12}
    with Server(tmp_path / "server", [route(1, listener(4000), listener(4001), **transcode(hevc, "copy"))]) as server:
        server.until_status("route_1", "waiting")
        with SrtReceiver(SrtUrl(4001, "caller"), tmp_path / "srt.ts") as client:
            client.wait_connected()
            with SrtSender(stream, SrtUrl(4000, "caller")) as sender:
                until(lambda: at_pace(progress(server)), what="12 frames a second")
                assert sender.wait_end(60) == 0
            client.wait_bytes(200_000)
            client.stop()
            video, audio = probe(client.file, "codec_name", "width", "height", "r_frame_rate")
            assert (video["codec_name"], video["width"], video["height"]) == ("hevc", 320, 180)
            assert audio["codec_name"] == "mp2"
            assert check(client.file).continuity_total == 0


@pytest.mark.long
def test_a_transcode_that_hangs_is_restarted_alone(tmp_path: Path) -> None:
    stream = make(HD_6_MBPS, 24)  # it must go on after the restart, also where ffmpeg starts slowly
    routes = [route(1, listener(4000), listener(4001), **transcode(SMALL, "copy"))]
    with Server(tmp_path / "server", routes, HEALTH_FPS_S="4") as server:
        server.until_status("route_1", "waiting")
        with SrtReceiver(SrtUrl(4001, "caller"), tmp_path / "srt.ts") as client:
            client.wait_connected()
            with SrtSender(stream, SrtUrl(4000, "caller")):
                until(lambda: progress(server).get("frame", 0) > 0, what="frames")
                before = server.processes("route_1")
                os.kill(before["ffmpeg"]["pid"], signal.SIGSTOP)
                until(lambda: server.processes("route_1")["ffmpeg"]["pid"] not in (None, before["ffmpeg"]["pid"]))
                log = server.log()
                assert "[HealthChecker] Route route_1 unhealthy: FPS 0 for 4s" in log
                assert "[HealthChecker] Restarting route route_1 (attempt 1)" in log
                got = client.file.stat().st_size
                client.wait_bytes(got + 100_000)
                (recovered,) = until(
                    lambda: server.api.get("/api/events", params={"kind": "routeRecovered"}).json()["items"]
                )
                assert recovered["data"] == {"routeId": "route_1", "processType": "ffmpeg"}
            after = server.processes("route_1")
            assert all(after[name]["pid"] == before[name]["pid"] for name in ("srt", "srtOut:4001"))


def test_only_ffmpeg_is_replaced_when_it_dies(stream: Path, tmp_path: Path) -> None:
    with (
        Server(tmp_path / "server", [route(1, listener(4000), listener(4001), **transcode(SMALL, SWAPPED))]) as server,
        SrtReceiver(SrtUrl(4001, "caller"), tmp_path / "srt.ts") as client,
        SrtSender(stream, SrtUrl(4000, "caller")),
    ):
        client.wait_bytes(50_000)
        before = {kind: process["pid"] for kind, process in server.until_all_up("route_1").items()}
        os.kill(before["ffmpeg"], signal.SIGKILL)
        until(lambda: server.processes("route_1")["ffmpeg"]["pid"] not in (None, before["ffmpeg"]))
        at = client.file.stat().st_size
        client.wait_bytes(at + 100_000)
        after = {kind: process["pid"] for kind, process in server.processes("route_1").items()}
        assert {kind for kind in before if before[kind] != after[kind]} == {"ffmpeg"}
        assert not client.all_events("disconnected")


def test_the_source_leaves_and_another_comes(stream: Path, other_stream: Path, tmp_path: Path) -> None:
    """Other size, other PIDs, earlier timestamps, and then again the first: one life of ffmpeg for all."""
    video = {"codec": "h264", "preset": "ultrafast", "bitrateKbps": 600}
    aac = {"codec": "aac", "bitrateKbps": 96}
    with (
        Server(tmp_path / "server", [route(1, listener(4000), listener(4001), **transcode(video, aac))]) as server,
        SrtReceiver(SrtUrl(4001, "caller"), tmp_path / "srt.ts") as client,
    ):
        for source in (stream, other_stream, stream):
            at = client.file.stat().st_size if client.file.exists() else 0
            with SrtSender(source, SrtUrl(4000, "caller")):
                server.until_status("route_1", "running")
                client.wait_bytes(at + 150_000)
            server.until_status("route_1", "waiting")
        process = server.processes("route_1")["ffmpeg"]
        assert process["restarts"] == 0, process["log"]
        assert not client.all_events("disconnected")
        client.stop()
        report = check(client.file)
        assert (report.continuity_total, report.sync_errors) == (0, 0)


def test_copy_keeps_picture_and_sound(stream: Path, tmp_path: Path) -> None:
    with (
        Server(tmp_path / "server", [route(1, listener(4000), listener(4001), **transcode("copy", "copy"))]) as server,
        SrtReceiver(SrtUrl(4001, "caller"), tmp_path / "srt.ts") as client,
        SrtSender(stream, SrtUrl(4000, "caller")) as sender,
    ):
        client.wait_bytes(3_000_000)
        assert not sender.all_events("closed")
        server.until_status("route_1", "running")
        client.stop()
        report = check(client.file)
        assert (report.continuity_total, report.sync_errors) == (0, 0)
        video, audio = probe(client.file, "codec_name", "width", "channels")
        assert (video["codec_name"], video["width"]) == ("h264", 1280)
        assert (audio["codec_name"], audio["channels"]) == ("mp2", 1)


def test_a_transcode_is_turned_on_edited_and_turned_off_on_air(stream: Path, tmp_path: Path) -> None:
    ends = (listener(4000), listener(4001), udp(5001))
    with (
        Server(tmp_path / "server", [route(1, *ends)]) as server,
        SrtSender(stream, SrtUrl(4000, "caller")),
    ):
        server.until_status("route_1", "running")
        plain = pids(server)
        server.write_routes([route(1, *ends, **transcode(SMALL, "copy"))])
        until(lambda: "ffmpeg" in server.processes("route_1"))
        until(lambda: pids(server)["srtOut:4001"] not in (None, plain["srtOut:4001"]))
        small = pids(server)
        assert small["srt"] == plain["srt"]
        server.write_routes([route(1, *ends, **transcode({**SMALL, "bitrateKbps": 500}, "copy"))])
        until(lambda: pids(server)["ffmpeg"] not in (None, small["ffmpeg"]))
        smaller = pids(server)
        assert {kind for kind in small if small[kind] != smaller[kind]} == {"ffmpeg"}
        server.write_routes([route(1, *ends)])
        until(lambda: "ffmpeg" not in server.processes("route_1"))
        until(lambda: None not in pids(server).values())
        assert pids(server)["srt"] == plain["srt"]


def pids(server: Server) -> dict[str, int | None]:
    return {kind: process["pid"] for kind, process in server.until_all_up("route_1").items()}


def test_udp_in_and_out_at_a_constant_rate(stream: Path, tmp_path: Path) -> None:
    wanted = transcode({**SMALL, "frameRate": 25}, "copy", muxrateKbps=1500)
    with (
        UdpReceiver("127.0.0.1", 5001, tmp_path / "udp.ts") as receiver,
        Server(tmp_path / "server", [route(1, udp(5000), udp(5001), **wanted)]) as server,
    ):
        assert set(server.until_all_up("route_1")) == {"udpDuplicator", "udpDuplicator.2", "ffmpeg"}
        with UdpSender(stream, "127.0.0.1", 5000):
            server.until_status("route_1", "running")
            receiver.wait_bytes(1_000_000)
        receiver.stop()
        report = check(receiver.file)
        assert (report.continuity_total, report.sync_errors) == (0, 0)
        assert report.pids[NULL_PID] > 100
        (video, _) = probe(receiver.file, "codec_name", "width")
        assert (video["codec_name"], video["width"]) == ("h264", 320)


def test_a_silent_route_stops_at_once(stream: Path, tmp_path: Path) -> None:
    """ffmpeg that has lost its input heeds only the second SIGTERM."""
    with Server(tmp_path / "server", [route(1, listener(4000), caller(4001), **transcode("copy", "copy"))]) as server:
        with SrtSender(stream, SrtUrl(4000, "caller")):
            until(lambda: server.processes("route_1")["ffmpeg"]["connection"] == "connected")
        server.until_status("route_1", "waiting")
        answer = server.post("/api/routes/route_1/stop")
        assert answer.status_code < 300
        assert answer.elapsed.total_seconds() < 2.5
        (ended,) = [process for process in server.route("route_1")["ended"] if process["type"] == "ffmpeg"]
        assert ended["signal"] is None, "it was killed"


def test_an_encoder_that_does_not_work_here_is_refused(tmp_path: Path) -> None:
    """The test machine has no such device: the reason names field, encoder and remedy."""
    if Path("/dev/nvidiactl").exists():
        pytest.skip("this machine has an NVIDIA card")
    wanted = transcode({**SMALL, "encoder": "nvenc"}, "copy")
    with Server(tmp_path / "server", [route(1, listener(4000), listener(4001), **wanted)]) as server:
        found = server.until_status("route_1", "failed")
        assert any("transcode.video.encoder" in reason and "software" in reason for reason in found["reasons"])
