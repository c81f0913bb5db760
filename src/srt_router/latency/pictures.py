"""Marked pictures: dark ones and noisy ones by turns. Noise costs bits, so each turn is seen in the size of pictures,
before and behind a transcode, without decoding any."""

from __future__ import annotations

import socket
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

_TS_PACKET = 188
_SYNC = 0x47
TURN_S = 2.0
"""Dark for so long, then noise for so long."""
_FRAMES_PER_SECOND = 25


def source_arguments(port: int, seconds: float) -> list[str]:
    """Arguments of the ffmpeg that sends the pictures to a UDP port of loopback, in real time."""
    noise = f"geq=lum='if(gte(mod(T,{2 * TURN_S}),{TURN_S}),random(1)*255,16)':cb=128:cr=128"
    picture = f"color=black:size=640x360:rate={_FRAMES_PER_SECOND},{noise}"
    codec = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", str(_FRAMES_PER_SECOND)]
    codec += ["-x264-params", "slices=1", "-crf", "30", "-pix_fmt", "yuv420p"]
    target = f"udp://127.0.0.1:{port}?pkt_size=1316"
    return ["-nostdin", "-loglevel", "error", "-re", "-f", "lavfi", "-i", picture, "-t", str(seconds), *codec,
            "-f", "mpegts", target]  # fmt: skip


@dataclass(slots=True)
class Pictures:
    """The pictures of one transport stream, as they arrive: when each began, and how large it was."""

    began_at: list[float] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    _pid: int | None = None

    def take(self, datagram: bytes, now: float) -> None:
        """One more datagram."""
        for at in range(0, len(datagram) - _TS_PACKET + 1, _TS_PACKET):
            self._packet(datagram[at : at + _TS_PACKET], now)

    def _packet(self, packet: bytes, now: float) -> None:
        if packet[0] != _SYNC:
            return
        pid = (packet[1] & 0x1F) << 8 | packet[2]
        header = 4 + (1 + packet[4] if packet[3] & 0x20 else 0)
        begins = packet[1] & 0x40 and packet[3] & 0x10 and header < _TS_PACKET
        if begins and packet[header : header + 3] == b"\0\0\1" and packet[header + 3] & 0xF0 == 0xE0:
            self._pid = pid
            self.began_at.append(now)
            self.sizes.append(0)
        if pid == self._pid and packet[3] & 0x10:
            self.sizes[-1] += max(0, _TS_PACKET - header)

    def turns(self) -> list[float]:
        """When noise began: seconds of the first large picture after small ones."""
        if len(self.sizes) < 2 * _FRAMES_PER_SECOND:
            return []
        large = statistics.quantiles(self.sizes, n=10)[8]
        small = statistics.quantiles(self.sizes, n=10)[0]
        threshold = (max(small, 1) * large) ** 0.5
        found, quiet = [], 0
        for at, size in zip(self.began_at, self.sizes, strict=True):
            if size < threshold:
                quiet += 1
                continue
            if quiet >= _FRAMES_PER_SECOND * TURN_S / 2:
                found.append(at)
            quiet = 0
        return found


def receive(tap: socket.socket, forward_to: int, output: socket.socket, seconds: float) -> tuple[Pictures, Pictures]:
    """Hand on what arrives at `tap` to a UDP port of loopback; watch it there and at `output`."""
    before, behind = Pictures(), Pictures()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        target = ("127.0.0.1", forward_to)
        for one in (tap, output):
            one.settimeout(0.001)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for one, pictures in ((tap, before), (output, behind)):
                try:
                    datagram = one.recv(65536)
                except TimeoutError:
                    continue
                pictures.take(datagram, time.monotonic())
                if one is tap:
                    sender.sendto(datagram, target)
    return before, behind


def added_ms(before: Sequence[float], behind: Sequence[float]) -> list[float]:
    """Milliseconds between each turn that came in and the first one behind it that went out."""
    found = []
    for at in before:
        later = [out for out in behind if at <= out < at + 2 * TURN_S]
        if later:
            found.append((later[0] - at) * 1000)
    return found
