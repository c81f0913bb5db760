"""The tap counts every datagram of its bus, and only those."""

from __future__ import annotations

import socket

from srt_router.monitoring.bus_tap import BusTap

GROUP, PORT = "239.255.7.7", 23456


def sender() -> socket.socket:
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
    out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
    return out


def test_every_datagram_is_counted_and_others_get_them_too() -> None:
    tap = BusTap(GROUP, PORT)
    with sender() as out, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reader.bind((GROUP, PORT))
        member = socket.inet_aton(GROUP) + socket.inet_aton("127.0.0.1")
        reader.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        reader.settimeout(5)
        assert tap.look() == 0
        for number in range(1000):
            out.sendto(b"x" * 1316, (GROUP, PORT))
            assert len(reader.recv(2000)) == 1316, number
        assert tap.look() == 1000
        out.sendto(b"", (GROUP, PORT))
        out.sendto(b"y", ("239.255.7.8", PORT))
        assert tap.look() == 1
        assert (tap.look(), tap.datagrams) == (0, 1001)
    tap.close()
