"""The parts of the duplicator that need no process: orders, cutting, what becomes of a failed send."""

import ctypes
import errno
import json
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srt_router.duplication import outputs, process
from srt_router.duplication.orders import (
    Destination,
    Source,
    UsageError,
    parse_arguments,
    parse_bus,
    parse_config,
    parse_source,
)
from srt_router.duplication.outputs import Batch, Output, pack_address, pack_interface, pieces


def config(*destinations: object) -> bytes:
    return json.dumps({"destinations": destinations}).encode()


def test_a_source_is_read_with_all_its_parameters() -> None:
    uri = "udp://@232.1.2.3:5000?interface=eth0&source=192.0.2.9&rcvbuf=8000000"
    assert parse_source(uri) == Source(uri, "232.1.2.3", 5000, "eth0", "192.0.2.9", 8_000_000)
    assert parse_source("udp://:5000")[1:] == ("", 5000, None, None, 4_000_000)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "udp://",
        "udp://host",
        "udp://:0",
        "udp://:65536",
        "udp://:5x",
        "udp://:\u0665",
        "tcp://:5000",
        "udp://:5000?rcvbuff=1",
        "udp://:5000?rcvbuf=x",
        "udp://:5000?rcvbuf=0",
    ],
)
def test_a_source_that_cannot_be_meant_is_refused(uri: str) -> None:
    with pytest.raises(UsageError):
        parse_source(uri)


def test_arguments_with_and_without_equals() -> None:
    options = parse_arguments(["--input=udp://:5000?rcvbuf=5", "--bus", "239.255.1.2:6000", "--config=c=d.json"])
    assert options.source.rcvbuf == 5
    assert options.bus == Destination("239.255.1.2", 6000, 0, None, "127.0.0.1")
    assert options.config == "c=d.json"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "x",
        "--input udp://:1",
        "--bus 239.1.1.1:1",
        "--input udp://:1 --bus",
        "--input udp://:1 --buss 239.1.1.1:1",
        "--input udp://:1 --input udp://:2 --bus 239.1.1.1:1",
        "--input udp://:1 --bus 10.0.0.1:1",
    ],
)
def test_wrong_arguments_are_refused(line: str) -> None:
    with pytest.raises(UsageError):
        parse_arguments(line.split())


@pytest.mark.parametrize("text", ["239.1.1.1", "239.1.1.1:", "bus:5000", "192.0.2.1:5000", "240.0.0.1:5000"])
def test_a_bus_is_a_multicast_group(text: str) -> None:
    with pytest.raises(UsageError):
        parse_bus(text)


def test_absent_and_null_are_the_same_and_a_place_counts_once() -> None:
    first = {"host": "192.0.2.1", "port": 5000, "ttl": None, "tos": None, "interface": None}
    text = config(first, {"host": "239.1.1.1", "port": 1, "ttl": 3, "tos": 184, "interface": "eth0"}, first)
    expected = [Destination("192.0.2.1", 5000), Destination("239.1.1.1", 1, 3, 184, "eth0")]
    assert parse_config(text) == expected
    assert parse_config(config()) == []


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"{}", b'{"destinations": {}}', b"\xff", b"[" * 10, config(1), config({"host": "192.0.2.1"})]
    + [config({"host": host, "port": 1}) for host in ("", None, 5, "::1", "a:1", "ü")]
    + [config({"host": "h", "port": port}) for port in (0, 65536, "1", 1.0, True, None)]
    + [config({"host": "h", "port": 1, **more}) for more in ({"ttl": 256}, {"tos": -1}, {"interface": 1}, {"x": 1})],
)
def test_a_broken_config_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_config(text)


@given(st.integers(0, 65507))
def test_pieces_join_to_the_whole_and_none_is_too_large(length: int) -> None:
    cut = pieces(length)
    assert [offset for offset, _ in cut] == [sum(size for _, size in cut[:index]) for index in range(len(cut))]
    assert sum(size for _, size in cut) == length
    assert max(size for _, size in cut) <= 1456
    assert len(cut) == 1 or all(size > 0 for _, size in cut)


def test_transport_stream_packets_stay_whole() -> None:
    assert pieces(14 * 188) == [(0, 1316), (1316, 1316)]
    assert pieces(8 * 188) == [(0, 1316), (1316, 188)]
    assert pieces(1457) == [(0, 1456), (1456, 1)]
    assert pieces(1456) == [(0, 1456)]
    assert pieces(0) == [(0, 0)]


def test_kernel_structures() -> None:
    assert pack_address("192.0.2.7", 0x1234)[2:] == b"\x12\x34\xc0\x00\x02\x07" + bytes(8)
    assert pack_interface("239.1.1.1", "10.0.0.1") == b"\xef\x01\x01\x01\x0a\x00\x00\x01" + bytes(4)
    index = socket.if_nametoindex("lo").to_bytes(4, "little")
    assert pack_interface("239.1.1.1", "lo") == b"\xef\x01\x01\x01" + bytes(4) + index
    with pytest.raises(OSError, match=r"."):
        pack_interface("239.1.1.1", "nosuch0")


class Kernel:
    """Answers each sendmmsg with the next of the given results: a count, or an error as a negative number."""

    def __init__(self, *results: int) -> None:
        self.results = list(results)
        self.asked: list[int] = []

    def __call__(self, _descriptor: int, _at: int, count: int, _flags: int) -> int:
        self.asked.append(count)
        result = self.results.pop(0)
        if result < 0:
            ctypes.set_errno(-result)
        return max(result, -1)


def send(monkeypatch: pytest.MonkeyPatch, lengths: list[int], *results: int) -> tuple[Output, Kernel]:
    kernel = Kernel(*results)
    monkeypatch.setattr(outputs, "_sendmmsg", kernel)
    output = Output(Destination("127.0.0.1", 9), Batch())
    if not output.send(lengths, sum(lengths)):
        output.finish(lengths)
    output.settle()
    output.close()
    assert kernel.results == []
    return output, kernel


def counters(output: Output) -> tuple[int, int, int]:
    return output.datagrams, output.bytes, output.lost


def test_a_partial_send_goes_on_where_it_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    output, kernel = send(monkeypatch, [1, 10, 100, 1000], 1, 2, 1)
    assert (counters(output), kernel.asked, output.error) == ((4, 1111, 0), [4, 3, 1], None)


def test_a_refusal_costs_no_datagram(monkeypatch: pytest.MonkeyPatch) -> None:
    output, kernel = send(monkeypatch, [1, 10, 100], -errno.ECONNREFUSED, 3)
    assert (counters(output), kernel.asked) == ((3, 111, 0), [3, 3])


def test_a_datagram_that_cannot_be_sent_is_lost_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    output, kernel = send(monkeypatch, [1, 10, 100], 1, -errno.EMSGSIZE, 1)
    assert (counters(output), kernel.asked) == ((2, 101, 1), [3, 2, 1])
    assert output.error == "Message too long"


def test_a_full_buffer_is_waited_for_and_no_longer_than_patience_lasts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    output, _ = send(monkeypatch, [1, 10], -errno.EAGAIN, -errno.EAGAIN, 2)
    assert counters(output) == (2, 11, 0)
    output, kernel = send(monkeypatch, [1, 10], *[-errno.ENOBUFS] * (2 + Batch.WAITS_PER_SECOND))
    assert (counters(output), len(kernel.asked)) == ((0, 0, 2), 12)
    assert output.error == "No buffer space available"


def test_without_inotify_the_look_each_second_remains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel gives 128 instances to a user; a large site has more duplicators than that."""

    class NoneLeft:
        def inotify_init1(self, _flags: int) -> int:
            return -1

    monkeypatch.setattr(process, "_libc", NoneLeft())
    file = tmp_path / "config.json"
    file.write_text('{"destinations": []}')
    config = process.ConfigFile(str(file))
    assert config.descriptor == -1
    assert config.noticed() is False
    assert config.touched() is True
    assert config.read() == []
    assert config.touched() is False
    file.write_text('{"destinations": [] }')
    assert config.touched() is True
