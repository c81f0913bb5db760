"""The stream monitor's sockets on a real bus: what they see, what they miss, and that nobody sees them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from srt_router.processes import sockets
from srt_router.transport_stream import receiving
from srt_router.transport_stream.analyser import Analyser, State
from srt_router.transport_stream.process import Monitor
from srt_router.transport_stream.receiving import Batch
from srt_router.transport_stream.watch import BusWatch
from tests.harness.wait import until
from tests.media.damage import changed, dropped, null_packet, packets, repeated, swapped, with_payload
from tests.media.generate import FULL_HD_20_MBPS, HD_6_MBPS, Picture, make
from tests.media.senders import UdpSender
from tests.media.transport_stream import check

GROUP, PORT = "239.255.7.7", 23456
VIDEO, AUDIO = 256, 257


@pytest.fixture
def bus() -> Iterator[socket.socket]:
    """Who sends on the bus."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
        out.connect((GROUP, PORT))
        yield out


@pytest.fixture(params=["IPv6 socket", "IPv4 socket"])
def watch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[BusWatch]:
    """A watch on the bus, as it is, and as it is on a kernel without IPv6."""
    if request.param == "IPv4 socket":
        monkeypatch.setattr(receiving, "_FAMILY", 99)
    found = BusWatch(GROUP, PORT, time.monotonic())
    yield found
    found.close()


def send(bus: socket.socket, stream: bytes) -> None:
    for at in range(0, len(stream), 1316):
        bus.send(stream[at : at + 1316])


def read(watch: BusWatch) -> None:
    watch.read(Batch(), time.monotonic(), None)


def test_a_stream_is_seen_whole(bus: socket.socket, watch: BusWatch) -> None:
    stream = make(HD_6_MBPS, 4).read_bytes()
    for at in range(0, len(stream), 100 * 1316):
        send(bus, stream[at : at + 100 * 1316])
        read(watch)
    report, seen = watch.report(time.monotonic(), 1)
    assert (report.state, report.continuity_errors, report.packets) == (State.OK, 0, len(stream) // 188)
    assert seen == {"sampled": False, "coverage": 1.0, "missed": 0}


def test_what_the_socket_loses_is_told_and_is_no_error_of_the_stream(bus: socket.socket, watch: BusWatch) -> None:
    stream = make(FULL_HD_20_MBPS, 8).read_bytes()
    send(bus, stream[: 100 * 1316])
    read(watch)
    send(bus, stream[100 * 1316 :])  # far more than any buffer holds
    for at in range(0, 1316 * 20, 1316):
        read(watch)
        bus.send(stream[at : at + 1316])  # the first that came after the losses tells of them
    read(watch)
    report, seen = watch.report(time.monotonic(), 1)
    assert watch.missed > 100
    assert seen["sampled"] is True
    assert seen["missed"] == watch.missed
    assert 0 < float(str(seen["coverage"])) < 1
    assert report.packets // 7 + watch.missed == pytest.approx(len(stream) // 1316 + 20, abs=1)
    turns = 20  # the end is followed by the beginning: of each PID at most one counter does not fit
    assert report.continuity_errors <= turns


def test_out_of_its_window_it_sees_and_costs_nothing(bus: socket.socket, watch: BusWatch) -> None:
    stream = make(HD_6_MBPS, 4).read_bytes()
    piece = 100 * 1316
    send(bus, stream[:piece])
    read(watch)
    watch.close_window(time.monotonic())
    send(bus, stream[piece : 3 * piece])
    read(watch)
    watch.open_window(Batch(), time.monotonic())
    send(bus, stream[3 * piece : 4 * piece])
    read(watch)
    report, seen = watch.report(time.monotonic(), 2)
    assert (report.packets, report.continuity_errors, watch.missed) == (2 * piece // 188, 0, 0)
    assert (seen["sampled"], seen["coverage"]) == (True, 0.5)


def test_nobody_takes_it_for_a_destination() -> None:
    watch = BusWatch(GROUP, PORT, time.monotonic())
    assert sockets.joined(sockets.bound_udp(), GROUP, PORT) == 0
    assert (GROUP, PORT) not in {(one.address, one.port) for one in sockets.udp_sockets()}
    assert "0707FFEF:5BA0" not in Path("/proc/net/udp").read_text()
    assert "0707FFEF:5BA0" in Path("/proc/net/udp6").read_text()
    watch.close()


def test_arrival_is_when_it_came_and_not_when_it_was_read(bus: socket.socket, watch: BusWatch) -> None:
    times = []
    for _ in range(3):
        times.append(time.monotonic())
        bus.send(null_packet() * 7)
        time.sleep(0.05)
    arrived = Batch().receive(watch._socket.descriptor)
    assert arrived is not None
    for came, sent in zip(arrived.times.tolist(), times, strict=True):
        assert 0 <= came - sent < 0.045


# Streams made by ffmpeg, against an independent judge


def mux(source: Path, target: Path, *options: str) -> bytes:
    command = ["ffmpeg", "-v", "error", "-y", "-nostdin", "-i", str(source), "-c", "copy", *options, str(target)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return target.read_bytes()


@pytest.mark.parametrize("picture", [HD_6_MBPS, FULL_HD_20_MBPS], ids=["6 Mb/s", "20 Mb/s"])
def test_real_streams_with_damage_of_every_kind(picture: Picture) -> None:
    sound = make(picture, 4).read_bytes()
    video, audio = with_payload(sound, of=VIDEO), with_payload(sound, of=AUDIO)
    streams = {
        "sound": sound,
        "missing": dropped(sound, [video[500], video[501], video[2000], audio[7]]),
        "twice": repeated(sound, video[300], 2),
        "three times": repeated(sound, video[300], 3),
        "swapped": swapped(sound, video[400], video[401]),
        "cut": sound[: 188 * 3000] + sound[188 * 3000 + 188 * 5 :],
    }
    for name, stream in streams.items():
        analyser = Analyser()
        for at in range(0, len(stream), 64 * 1316):
            analyser.feed(stream[at : at + 64 * 1316], at / len(stream) * 4)
        report, judge = analyser.report(4.0), check(stream)
        errors = {one.pid: one.continuity_errors for one in report.pids if one.continuity_errors}
        assert (report.packets, errors) == (judge.packets, judge.continuity_errors), name
        assert {one.pid: one.packets for one in report.pids} == judge.pids, name


def test_a_wrong_sync_byte_in_a_real_stream() -> None:
    sound = make(HD_6_MBPS, 4).read_bytes()
    analyser = Analyser()
    analyser.feed(changed(sound, with_payload(sound, of=VIDEO)[900], lambda packet: packet.__setitem__(0, 0x48)), 0.0)
    report = analyser.report(1.0)
    assert {kind: one.total for kind, one in report.indicators.items() if one.total and "sync" in kind} == {
        "syncByteError": 1
    }
    assert report.packets == len(sound) // 188 - 1


def test_a_constant_mux_rate_is_told_with_its_stuffing(tmp_path: Path) -> None:
    stream = mux(make(HD_6_MBPS, 4), tmp_path / "cbr.ts", "-muxrate", "12M", "-f", "mpegts")
    nulls = sum(packet[1:3] == b"\x1f\xff" for packet in packets(stream))
    seconds = len(stream) * 8 / 12e6
    analyser = Analyser()
    for at in range(0, len(stream), 1316):
        analyser.feed(stream[at : at + 1316], at * 8 / 12e6)
    report = analyser.report(seconds)
    assert report.bitrate == pytest.approx(12e6, rel=0.001)
    assert report.null_ratio == pytest.approx(nulls / (len(stream) // 188))
    assert {kind for kind, one in report.indicators.items() if one.total} == set()
    clock = next(one.clock for one in report.pids if one.pid == VIDEO)
    assert clock is not None
    assert clock.interval_ms < 100
    assert clock.jitter_ms < 1


@pytest.mark.parametrize("codec", ["hevc", "mpeg2video"])
def test_codecs_and_services(tmp_path: Path, codec: str) -> None:
    encoder = {"hevc": ["libx265", "-x265-params", "log-level=error"], "mpeg2video": ["mpeg2video"]}[codec]
    target = tmp_path / "two.ts"
    argv = [
        "ffmpeg", "-v", "error", "-nostdin", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25", "-f", "lavfi",
        "-i", "sine", "-t", "2", "-map", "0:v", "-map", "1:a", "-map", "1:a", "-c:v", *encoder, "-c:a:0", "ac3",
        "-c:a:1", "aac", "-metadata:s:a:1", "language=deu", "-metadata", "service_name=Zürich", "-f", "mpegts",
        str(target),
    ]  # fmt: skip
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
    analyser = Analyser()
    analyser.feed(target.read_bytes(), 0.0)
    (program,) = analyser.tables.programs.values()
    assert [(one.codec, one.language) for one in program.streams.values()] == [
        (codec, None), ("ac3", None), ("aac", "deu"),
    ]  # fmt: skip
    assert analyser.tables.services[program.number].name == "Zürich"


# The process


def orders(path: Path, *buses: tuple[str, int], **more: object) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({"server": os.getpid(), "buses": buses, **more}))
    fresh.rename(path)


def start(config: Path, output: Path) -> subprocess.Popen[bytes]:
    program = Path(receiving.__file__).with_name("__main__.py")
    with output.open("ab") as out:
        return subprocess.Popen([sys.executable, "-I", str(program), "--config", str(config)], stdout=out, stderr=out)


def lines(output: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.read_text().splitlines() if line.startswith("{")]


def test_the_process_follows_its_orders(tmp_path: Path) -> None:
    config, output = tmp_path / "orders.json", tmp_path / "out"
    orders(config)
    with start(config, output) as monitor:
        until(lambda: output.exists() and lines(output))
        assert all("bus" not in line for line in lines(output))
        orders(config, (GROUP, PORT))
        with UdpSender(make(HD_6_MBPS, 4), GROUP, PORT):
            until(lambda: any(line.get("state") == "ok" for line in lines(output)))
            config.write_text("{")  # changes nothing
            seen = max(line.get("packets", 0) for line in lines(output))
            until(lambda: max(line.get("packets", 0) for line in lines(output)) > seen)
        orders(config)
        count = len(lines(output))
        until(lambda: len(lines(output)) > count + 2)
        assert "bus" not in lines(output)[-1]
        monitor.send_signal(signal.SIGTERM)
        assert monitor.wait(10) == 0
    assert not list(tmp_path.glob("*.tmp"))


@pytest.mark.long
def test_beyond_its_budget_it_looks_now_and_then_and_says_so(tmp_path: Path) -> None:
    config, output = tmp_path / "orders.json", tmp_path / "out"
    orders(config, (GROUP, PORT), share=0.002, probe=False)
    with start(config, output) as monitor:
        with UdpSender(make(HD_6_MBPS, 45), GROUP, PORT):
            until(lambda: len([line for line in lines(output) if line.get("sampled")]) > 1, 40)
        monitor.terminate()
    told = [line for line in lines(output) if line.get("sampled")]
    assert all(0 < line["coverage"] <= 0.5 for line in told)
    assert all(line["bitrate"] > 2_000_000 for line in told)
    assert max(line["every"] for line in lines(output) if "every" in line) > 1
    assert {line["continuityErrors"] for line in told} == {0}
    assert {kind for line in told for kind, (total, _, _) in line["tr101290"].items() if total} == set()


def test_a_stream_that_upsets_the_analyser_hides_no_other(
    tmp_path: Path, bus: socket.socket, capfd: pytest.CaptureFixture[str]
) -> None:
    config, stream = tmp_path / "orders.json", make(HD_6_MBPS, 4).read_bytes()[: 100 * 1316]
    orders(config, (GROUP, PORT))
    monitor = Monitor(str(config))
    (watch,) = monitor._watches.values()
    for _ in range(2):
        watch.analyser.framer = None  # type: ignore[assignment]
        send(bus, stream)
        monitor._read(watch, time.monotonic())
    assert capfd.readouterr().err.count("ERROR: the stream on bus 239.255.7.7:23456 cannot be analysed") == 1
    send(bus, stream)
    monitor._read(watch, time.monotonic())
    assert watch.report(time.monotonic(), 1)[0].packets == 700
    watch.close()


def test_the_process_ends_with_its_server(tmp_path: Path) -> None:
    config = tmp_path / "orders.json"
    orders(config, server=os.getppid() or 1)
    with start(config, tmp_path / "out") as monitor:
        assert monitor.wait(10) == 0


@pytest.mark.parametrize("text", ["", "{", '{"server": 1}'])
def test_the_process_says_what_is_wrong_with_its_orders(tmp_path: Path, text: str) -> None:
    config = tmp_path / "orders.json"
    config.write_text(text)
    with start(config, tmp_path / "out") as monitor:
        assert monitor.wait(10) == 1
    assert (tmp_path / "out").read_text().startswith("ERROR: ")
