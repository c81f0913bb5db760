"""The real duplicator process, between real sockets on loopback."""

import contextlib
import hashlib
import itertools
import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from srt_router import duplicator
from srt_router.duplication.outputs import pieces
from tests.harness.wait import until

SCRIPT = str(Path(duplicator.__file__))
LOOPBACK = "127.0.0.1"
SO_RCVBUFFORCE = 33
BUS = "239.255.77.1"
Place = tuple[str, int]


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("", 0))
        return int(sock.getsockname()[1])


def receiver(place: Place) -> socket.socket:
    """A socket that hears what is sent there, with as large a buffer as it may have."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8_000_000)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_000_000)
    sock.bind(place)
    if place[0].startswith("239."):
        membership = socket.inet_aton(place[0]) + socket.inet_aton(LOOPBACK)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
    sock.settimeout(10)
    return sock


def sender(address: str = LOOPBACK) -> socket.socket:
    """A socket that sends, to groups over loopback."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, 0))
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(LOOPBACK))
    return sock


class Running:
    """One duplicator with its files, its input's sender and its receivers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config, self.stdout, self.stderr = folder / "c.json", folder / "stdout", folder / "stderr"
        self.input: Place = (LOOPBACK, free_port())
        self.sender = sender()
        self.process: subprocess.Popen[bytes] | None = None
        self.sockets = [self.sender]
        self.written = 0

    def start(self, *arguments: str, uri: str = "", stdout: Any = None) -> subprocess.Popen[bytes]:
        uri = uri or f"udp://{self.input[0]}:{self.input[1]}"
        command = [sys.executable, "-I", "-S", SCRIPT, "--input", uri, *arguments]
        if self.config.exists():
            command += ["--config", str(self.config)]
        with self.stdout.open("ab") as out, self.stderr.open("ab") as err:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out if stdout is None else stdout, stderr=err
            )
        return self.process

    def start_and_wait(self, *arguments: str, uri: str = "", stdout: Any = None) -> subprocess.Popen[bytes]:
        process = self.start(*arguments, uri=uri, stdout=stdout)
        self.until_said("Media path")
        return process

    def configure(self, *destinations: dict[str, Any], text: str | None = None) -> str:
        """Replace the config as the manager does; returns its digest."""
        content = (json.dumps({"destinations": destinations}) if text is None else text).encode()
        fresh = self.config.with_suffix(".new")
        fresh.write_bytes(content)
        fresh.rename(self.config)
        return hashlib.sha256(content).hexdigest()[:16]

    def hear(self, place: Place) -> socket.socket:
        self.sockets.append(receiver(place))
        return self.sockets[-1]

    def said(self, text: str) -> int:
        return self.stderr.read_text().count(text)

    def until_said(self, text: str, times: int = 1) -> None:
        until(lambda: self.said(text) >= times, what=f"{text!r} on stderr: {self.stderr.read_text()}")

    def stats(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stdout.read_text().splitlines(keepends=True) if line[-1] == "\n"]

    def until_stats(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first line from now on of which the condition is true."""
        since = time.time() * 1000
        news = until(
            lambda: [line for line in self.stats() if line["time"] >= since and condition(line)],
            what=f"stats; stderr: {self.stderr.read_text()}",
        )
        return news[0]

    def close(self) -> None:
        for sock in self.sockets:
            sock.close()
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    it = Running(tmp_path)
    yield it
    it.close()


def destination(place: Place, **more: Any) -> dict[str, Any]:
    return {"host": place[0], "port": place[1], **more}


def sizes(count: int) -> list[int]:
    """Random sizes, the special ones among them."""
    chance = random.Random(5)  # noqa: S311 - the same in each run
    edges = [0, 1, 188, 1316, 1456, 1457, 1500, 8 * 188, 14 * 188, 65507]
    usual = [chance.choice(edges[:-1]) if chance.random() < 0.5 else chance.randrange(1600) for _ in range(count)]
    for index in chance.sample(range(count), count // 100):
        usual[index] = chance.choice([65507, chance.randrange(65508)])
    return usual


def bursts(datagrams: list[bytes], room: int) -> Iterator[list[bytes]]:
    """The datagrams in portions that a receive buffer of this size holds in any case."""
    chance, portion, limit, held = random.Random(6), list[bytes](), 1, 0  # noqa: S311
    for datagram in datagrams:
        cost = 2 * len(datagram) + 4096 + 4096 * (len(datagram) // 1316)
        if portion and (len(portion) >= limit or held + cost > room):
            yield portion
            portion, limit, held = [], chance.randrange(1, 200), 0
        portion.append(datagram)
        held += cost
    yield portion


def test_50_000_datagrams_arrive_everywhere_unchanged_and_in_order(running: Running) -> None:
    places = [(LOOPBACK, free_port()), (LOOPBACK, free_port()), ("239.255.77.9", free_port())]
    bus_place = (BUS, free_port())
    running.configure(*(destination(place, interface=LOOPBACK) for place in places))
    outs, bus = [running.hear(place) for place in places], running.hear(bus_place)
    process = running.start_and_wait("--bus", f"{BUS}:{bus_place[1]}")
    noise = random.Random(7).randbytes(200_000)  # noqa: S311
    datagrams = [noise[index : index + size] for index, size in enumerate(sizes(50_000))]
    room = bus.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 4
    for burst in bursts(datagrams, room):
        for datagram in burst:
            running.sender.sendto(datagram, running.input)
        for out in outs:
            assert all(out.recv(65536) == datagram for datagram in burst)
        for datagram in burst:
            assert all(bus.recv(65536) == datagram[at : at + size] for at, size in pieces(len(datagram)))
    total, cut = sum(map(len, datagrams)), sum(len(pieces(len(datagram))) for datagram in datagrams)
    line = running.until_stats(lambda line: line["input"]["datagrams"] == 50_000)
    assert line["input"]["bytes"] == total
    assert line["input"]["drops"] == 0
    counted = [tuple(out.values()) for out in line["outputs"]]
    assert counted == [
        (*bus_place, cut, total, 0, None),
        *((*place, 50_000, total, 0, None) for place in places),
    ]
    memory_kb = int(Path(f"/proc/{process.pid}/status").read_text().split("VmRSS:")[1].split()[0])
    assert memory_kb <= 20_000


def test_destinations_change_and_the_others_miss_nothing(running: Running) -> None:
    stay, other = (LOOPBACK, free_port()), (LOOPBACK, free_port())
    stays, others = running.hear(stay), running.hear(other)
    running.configure(destination(stay))
    running.start_and_wait()
    stop, sent = threading.Event(), 0

    def send() -> None:
        nonlocal sent
        while not stop.wait(0.0002):
            running.sender.sendto(struct.pack("!I", sent), running.input)
            sent += 1

    def take(sock: socket.socket) -> list[int]:
        got = []
        sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                got.append(struct.unpack("!I", sock.recv(64))[0])
        return got

    thread = threading.Thread(target=send)
    thread.start()
    numbers: list[int] = []
    heard: list[int] = []
    try:
        for turn in range(30):
            running.configure(destination(stay), *[destination(other, ttl=turn + 1)] * (turn % 3 != 0))
            if turn % 3 == 0:
                until(lambda: not take(others), what="the removed destination to fall silent")
            else:
                news = until(lambda: take(others), what="the added destination to hear")
                assert news == list(range(news[0], news[0] + len(news)))
                heard += news
            numbers += take(stays)
    finally:
        stop.set()
        thread.join()

    def complete() -> bool:
        numbers.extend(take(stays))
        return len(numbers) >= sent

    until(complete)
    assert numbers == list(range(sent))
    assert len(set(heard)) == len(heard)


def test_a_change_in_place_takes_effect_and_keeps_the_counters(running: Running) -> None:
    place = (LOOPBACK, free_port())
    out = running.hear(place)
    out.setsockopt(socket.IPPROTO_IP, 12, 1)  # IP_RECVTTL
    out.setsockopt(socket.IPPROTO_IP, 13, 1)  # IP_RECVTOS

    def header() -> tuple[int, int]:
        running.sender.sendto(b"x", running.input)
        _, ancillary, _, _ = out.recvmsg(64, 256)
        values = {kind: data[0] for _, kind, data in ancillary}
        return values[2], values[1]  # IP_TTL, IP_TOS

    running.configure(destination(place))
    running.start_and_wait()
    assert header() == (64, 0)
    digest = running.configure(destination(place, ttl=5, tos=184))
    running.until_stats(lambda line: line["config"] == digest)
    assert header() == (5, 184)
    running.until_stats(lambda line: line["outputs"][0]["datagrams"] == 2)


def test_the_ttl_of_groups(running: Running) -> None:
    group, near = ("239.255.77.20", free_port()), ("239.255.77.21", free_port())
    bus_place = (BUS, free_port())
    outs = [running.hear(group), running.hear(near), running.hear(bus_place)]
    running.configure(destination(group, interface="lo"), destination(near, interface=LOOPBACK, ttl=1))
    running.start_and_wait(f"--bus={BUS}:{bus_place[1]}")
    running.sender.sendto(b"x", running.input)
    for out, ttl in zip(outs, (8, 1, 0), strict=True):
        out.setsockopt(socket.IPPROTO_IP, 12, 1)
        assert out.recvmsg(64, 256)[1][0][2][0] == ttl


def test_a_broken_config_changes_nothing_and_is_said_once(running: Running) -> None:
    place = (LOOPBACK, free_port())
    out = running.hear(place)
    digest = running.configure(destination(place))
    running.start_and_wait()
    for text in ('{"destinations": [', '{"destinations": [{"host": "", "port": 1}]}'):
        running.configure(text=text)
        running.until_said(f"config {running.config}: ", times=1 if text.endswith("[") else 2)
        running.configure(text=text)
        running.sender.sendto(b"still", running.input)
        assert out.recv(64) == b"still"
        line = running.until_stats(lambda line: True)
        assert line["config"] == digest
    running.config.unlink()
    running.until_said("No such file or directory")
    assert running.said("the destinations stay as they are") == 3
    digest = running.configure()
    assert running.until_stats(lambda line: line["config"] == digest)["outputs"] == []


def test_a_destination_that_refuses_or_fails_disturbs_nobody(running: Running) -> None:
    places = [(LOOPBACK, free_port()), (LOOPBACK, free_port())]
    nowhere, no_card = ("192.0.2.1", 5000), ("239.255.77.30", free_port())
    out = running.hear(places[1])
    failing = [destination(nowhere), destination(no_card, interface="nosuch0")]
    running.configure(*map(destination, places), *failing)
    running.start_and_wait()
    for number in range(1000):
        running.sender.sendto(b"%d" % number, running.input)
        assert out.recv(64) == b"%d" % number
    line = running.until_stats(lambda line: line["input"]["datagrams"] == 1000)
    results = [(out["datagrams"], out["lost"], out["error"]) for out in line["outputs"]]
    assert results[:2] == [(1000, 0, None)] * 2
    assert results[2] == (0, 1000, "Network is unreachable")
    assert results[3] == (0, 1000, "no interface with this name")
    late = running.hear(places[0])
    running.sender.sendto(b"late", running.input)
    assert late.recv(64) == b"late"
    assert running.said("192.0.2.1:5000: Network is unreachable") == 1
    running.configure(*map(destination, places), destination(no_card, interface="lo"))
    running.until_said(f"239.255.77.30:{no_card[1]}: sending")
    assert running.until_stats(lambda line: len(line["outputs"]) == 3)["outputs"][2]["error"] is None


def test_a_host_name_is_looked_up(running: Running) -> None:
    place = (LOOPBACK, free_port())
    out = running.hear(place)
    running.configure(destination(("localhost", place[1])), destination(("no.such.invalid", 1)))
    running.start_and_wait()
    line = running.until_stats(lambda line: line["outputs"][0]["error"] is None)
    assert line["outputs"][1]["error"] == "cannot resolve the host name"
    running.sender.sendto(b"named", running.input)
    assert out.recv(64) == b"named"


@pytest.mark.parametrize("reuse", [False, True])
def test_a_port_that_is_taken_is_an_error(running: Running, *, reuse: bool) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as owner:
        owner.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
        owner.bind(running.input)
        assert running.start(f"--bus={BUS}:5000").wait(10) == 255
    uri = f"udp://{LOOPBACK}:{running.input[1]}"
    assert running.stderr.read_text() == f"ERROR: cannot bind {uri}: Address already in use\n"


@pytest.mark.parametrize(
    "uri", ["udp://192.0.2.1:5000", "udp://no.such.invalid:5000", "udp://239.1.1.1:5?interface=no0"]
)
def test_an_input_that_cannot_be_had_is_an_error(running: Running, uri: str) -> None:
    assert running.start(f"--bus={BUS}:5000", uri=uri).wait(10) == 255
    assert running.said(f"ERROR: cannot bind {uri}: ") == 1


@pytest.mark.parametrize(
    "arguments", [[], ["--bus=x"], ["--config=/no/such/folder/c.json"], ["--bus", f"{BUS}:5000", "--more"]]
)
def test_wrong_usage_is_an_error(running: Running, arguments: list[str]) -> None:
    assert running.start(*arguments).wait(10) == 1
    assert running.said("ERROR: ") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once_with_status_0(running: Running, number: signal.Signals) -> None:
    process = running.start_and_wait(f"--bus={BUS}:{free_port()}")
    assert Path(f"/proc/{process.pid}/comm").read_text() == "udpDuplicator\n"
    process.send_signal(number)
    assert process.wait(1) == 0


def test_it_tells_when_the_source_comes_and_goes(running: Running) -> None:
    bus_place = (BUS, free_port())
    running.start_and_wait(f"--bus={BUS}:{bus_place[1]}")
    for times in (1, 2):
        running.sender.sendto(b"x", running.input)
        running.until_said("UDP source receiving", times)
        running.until_said("UDP source silent", times)
    uri = f"udp://{LOOPBACK}:{running.input[1]}"
    lines = [f"Media path: '{uri}' --> 'udp://{BUS}:{bus_place[1]}'"]
    assert running.stderr.read_text().splitlines() == lines + ["UDP source receiving", "UDP source silent"] * 2


def test_stats_go_on_at_the_start_of_a_file_that_was_truncated(running: Running) -> None:
    running.start_and_wait(f"--bus={BUS}:{free_port()}")
    running.until_stats(lambda line: line["config"] is None)
    for _ in range(2):
        os.truncate(running.stdout, 0)
        running.until_stats(lambda line: True)
        assert running.stdout.read_bytes()[:9] == b'{"time": '


def test_no_reader_and_no_disk_space_stops_it(running: Running) -> None:
    place = (BUS, free_port())
    out = running.hear(place)
    read_end, write_end = os.pipe()
    with Path("/dev/full").open("wb") as full:
        for number, stdout in enumerate((full, write_end)):
            process = running.start(f"--bus={BUS}:{place[1]}", stdout=stdout)
            running.until_said("Media path", number + 1)
            if stdout == write_end:
                os.close(write_end)
                os.read(read_end, 1)
                os.close(read_end)
            deadline = time.monotonic() + 2.2  # two lines that nobody can take
            for count in itertools.count():
                running.sender.sendto(b"%d" % count, running.input)
                assert out.recv(64) == b"%d" % count
                if time.monotonic() > deadline:
                    break
            assert process.poll() is None
            process.terminate()
            assert process.wait(1) == 0


def test_a_reader_that_sleeps_does_not_stop_the_stream(running: Running) -> None:
    place = (BUS, free_port())
    out = running.hear(place)
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(write_end, bytes(4096))
    os.set_blocking(write_end, True)
    running.start_and_wait(f"--bus={BUS}:{place[1]}", stdout=write_end)
    running.sender.sendto(b"x", running.input)
    assert out.recv(64) == b"x"
    running.until_said("UDP source silent")  # so it has come by a stats line
    running.sender.sendto(b"y", running.input)
    assert out.recv(64) == b"y"
    os.close(read_end)
    os.close(write_end)


@pytest.mark.parametrize("interface", ["127.0.0.1", "lo"])
def test_a_group_is_heard_and_its_neighbour_is_not(running: Running, interface: str) -> None:
    bus_place, port = (BUS, free_port()), free_port()
    out = running.hear(bus_place)
    rival = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)  # another listener of the group: no conflict
    running.sockets.append(rival)
    rival.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    rival.bind(("239.255.77.40", port))
    neighbour = running.hear(("239.255.77.41", free_port()))  # makes the machine a member of that group
    running.start_and_wait(f"--bus={BUS}:{bus_place[1]}", uri=f"udp://239.255.77.40:{port}?interface={interface}")
    running.sender.sendto(b"not this", ("239.255.77.41", port))
    running.sender.sendto(b"this", ("239.255.77.40", port))
    assert out.recv(64) == b"this"
    assert neighbour.getsockname()[0] == "239.255.77.41"


@pytest.mark.parametrize("interface", ["127.0.0.1", "lo"])
def test_only_the_wanted_source_of_a_group_is_heard(running: Running, interface: str) -> None:
    bus_place, group = (BUS, free_port()), ("232.77.1.1", free_port())
    out = running.hear(bus_place)
    wanted, stranger = sender("127.0.0.2"), sender("127.0.0.3")
    running.sockets += [wanted, stranger]
    uri = f"udp://{group[0]}:{group[1]}?interface={interface}&source=127.0.0.2&rcvbuf=100000"
    running.start_and_wait(f"--bus={BUS}:{bus_place[1]}", uri=uri)
    for number in range(3):
        stranger.sendto(b"stranger", group)
        wanted.sendto(b"wanted %d" % number, group)
        assert out.recv(64) == b"wanted %d" % number
    line = running.until_stats(lambda line: line["input"]["datagrams"] > 0)
    assert line["input"] == {"datagrams": 3, "bytes": 24, "drops": 0, "rcvbuf": 100_000}


def test_what_the_kernel_dropped_is_counted(running: Running) -> None:
    process = running.start_and_wait(
        f"--bus={BUS}:{free_port()}", uri=f"udp://{LOOPBACK}:{running.input[1]}?rcvbuf=20000"
    )
    process.send_signal(signal.SIGSTOP)
    for _ in range(200):
        running.sender.sendto(bytes(1316), running.input)
    process.send_signal(signal.SIGCONT)
    line = running.until_stats(lambda line: line["input"]["datagrams"] > 0)
    assert line["input"]["drops"] > 100
    assert line["input"]["datagrams"] + line["input"]["drops"] == 200
