"""Which of several sockets on one bus has lost datagrams, and whose it is."""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack

from srt_router.monitoring.bus_drops import BusDrops
from srt_router.processes import proc, sockets

GROUP = "239.255.77.1"


def reader(stack: ExitStack, port: int) -> socket.socket:
    found = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    found.bind((GROUP, port))
    found.setsockopt(
        socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP) + socket.inet_aton("127.0.0.1")
    )
    return found


def test_drops_are_found_by_socket_and_by_process() -> None:
    with ExitStack() as stack:
        first = reader(stack, 0)
        bus = (GROUP, first.getsockname()[1])
        second = reader(stack, bus[1])
        other = reader(stack, 0)
        sender = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
        for _ in range(100):
            sender.sendto(bytes(1000), bus)
            second.recv(2000)
        ours = {os.fstat(one.fileno()).st_ino for one in (first, second)}
        drops = sockets.bus_drops(proc.read_table("/proc/net/udp"), [bus])
        assert drops.keys() == ours
        assert drops[os.fstat(first.fileno()).st_ino] > 50
        assert drops[os.fstat(second.fileno()).st_ino] == 0
        assert ours < sockets.inodes(os.getpid())
        assert os.fstat(other.fileno()).st_ino not in drops
        looks = BusDrops()
        assert looks.look({os.getpid(): bus}) == {os.getpid(): drops}
        assert looks.look({os.getpid(): ("239.255.77.2", bus[1])}) == {}  # no socket there
        assert looks.look({}) == {}


def test_a_process_that_is_gone_has_no_sockets() -> None:
    assert sockets.inodes(2**22 + 1) == frozenset()


def test_a_garbled_table_has_nothing() -> None:
    table = b"  sl  local_address\n  12: 4D4DFFEF:4E20 garbage\n\0\0\n 7: 4D4DFFEF:4E20 x x x x x x x - x x - x\n"
    assert sockets.bus_drops(table, [("239.255.77.77", 20000)]) == {}
