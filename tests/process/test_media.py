"""The tools themselves lose nothing and see every loss; without this, no other media test proves anything."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.media import generate
from tests.media.receivers import SrtReceiver, UdpReceiver
from tests.media.senders import SrtSender, UdpSender
from tests.media.srt_url import SrtUrl
from tests.media.transport_stream import DATAGRAM_BYTES, check, compare

SECONDS = 2
PORT = 20_000 + 100 * int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "0")))
PASSPHRASE = "correct-horse-42"
ENCRYPTED = {"passphrase": PASSPHRASE, "pbkeylen": 32, "stream_id": "live/#paris"}


@pytest.fixture(scope="module")
def stream() -> Path:
    return generate.make(generate.HD_6_MBPS, SECONDS)


def test_generated_streams_are_clean_and_burst(stream: Path) -> None:
    report = check(stream)

    assert report.clean
    assert len(report.pids) >= 4
    assert stream.stat().st_size > SECONDS * 6_000_000 / 8 * 0.8


@pytest.mark.parametrize("options", [{}, ENCRYPTED], ids=["plain", "AES-256"])
@pytest.mark.parametrize("sender_mode", ["caller", "listener"])
def test_srt_from_sender_to_receiver_is_identical(
    stream: Path, tmp_path: Path, sender_mode: str, options: dict[str, str | int]
) -> None:
    receiver_mode = "listener" if sender_mode == "caller" else "caller"
    port = PORT + 1
    receiver_url = SrtUrl(port, receiver_mode, **options)  # type: ignore[arg-type]
    sender_url = SrtUrl(port, sender_mode, **options)  # type: ignore[arg-type]
    with (
        SrtReceiver(receiver_url, tmp_path / "received") as receiver,
        SrtSender(stream, sender_url) as sender,
    ):
        sender.wait_connected()
        assert sender.wait_end() == 0
        assert receiver.wait_end() == 0

    result = compare(stream, receiver.file)
    assert result.identical, result
    assert (result.offset, result.missing_at_end) == (0, 0)
    assert check(receiver.file).clean


def test_a_dropped_packet_is_detected(stream: Path, tmp_path: Path) -> None:
    data = stream.read_bytes()
    middle = len(data) // 2 // DATAGRAM_BYTES * DATAGRAM_BYTES
    damaged = tmp_path / "damaged"
    damaged.write_bytes(data[:middle] + data[middle + DATAGRAM_BYTES :])
    with UdpReceiver("127.0.0.1", PORT + 2, tmp_path / "received") as receiver:
        with UdpSender(damaged, "127.0.0.1", PORT + 2) as sender:
            assert sender.wait_end() == 0
        receiver.wait_bytes(damaged.stat().st_size)

    result = compare(stream, receiver.file)
    assert [(one.kind, one.sent_at, one.length) for one in result.differences] == [("missing", middle, DATAGRAM_BYTES)]
    assert check(receiver.file).continuity_total >= 1


@pytest.mark.parametrize("host", ["127.0.0.1", "239.10.0.1"], ids=["unicast", "multicast"])
def test_udp_from_sender_to_receiver_is_identical(stream: Path, tmp_path: Path, host: str) -> None:
    with UdpReceiver(host, PORT + 3, tmp_path / "received") as receiver:
        with UdpSender(stream, host, PORT + 3) as sender:
            assert sender.wait_end() == 0
        receiver.wait_bytes(stream.stat().st_size)
        assert receiver.stop()["kernel_drops"] == 0

    result = compare(stream, receiver.file)
    assert result.identical, result
    assert result.missing_at_end == 0


def test_a_receiver_that_joins_late_gets_the_contiguous_rest(stream: Path, tmp_path: Path) -> None:
    with UdpSender(stream, "239.10.0.2", PORT + 4) as sender:
        sender.wait_bytes()
        with UdpReceiver("239.10.0.2", PORT + 4, tmp_path / "received") as receiver:
            assert sender.wait_end() == 0

    result = compare(stream, receiver.file)
    assert result.identical, result
    assert result.offset
    assert result.missing_at_end == 0


def test_a_wrong_passphrase_is_refused(stream: Path, tmp_path: Path) -> None:
    listener = SrtUrl(PORT + 6, "listener", passphrase=PASSPHRASE)
    with SrtReceiver(listener, tmp_path / "received") as receiver:
        receiver.wait_event("listening")
        with SrtSender(stream, SrtUrl(PORT + 6, passphrase=PASSPHRASE[::-1])) as sender:
            assert "passphrase" in str(sender.wait_event("refused")["reason"])
            assert sender.wait_end() == 1
        assert receiver.stop()["bytes"] == 0


def test_both_sides_meet_again_after_a_loss(stream: Path, tmp_path: Path) -> None:
    first, second = (SrtUrl(PORT + 7, "listener"), SrtUrl(PORT + 7, "listener"))
    with SrtSender(stream, SrtUrl(PORT + 7), reconnect=True) as sender:
        with SrtReceiver(first, tmp_path / "first") as before:
            before.wait_bytes()
        sender.wait_event("disconnected")
        with SrtReceiver(second, tmp_path / "second") as after:
            assert sender.wait_end() == 0
            assert after.wait_end() == 0

    sent = [compare(stream, tmp_path / name) for name in ("first", "second")]
    assert all(part.identical for part in sent), [str(part) for part in sent]
    assert sent[1].missing_at_end == 0


def test_what_never_happens_is_said_clearly(tmp_path: Path) -> None:
    with SrtReceiver(SrtUrl(PORT + 8, "listener"), tmp_path / "received") as receiver:
        with pytest.raises(AssertionError, match="waited for 1 x connected"):
            receiver.wait_connected(timeout_s=0.1)
        assert receiver.stop()["bytes"] == 0
