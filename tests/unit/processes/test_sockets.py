"""The kernel's table of UDP sockets: all of it, however long it is."""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack

from srt_router.processes import sockets
from srt_router.routes.conflicts import ListeningPort
from srt_router.supervision.checks import HolderBook, PortTable


def test_every_socket_of_a_long_table_is_seen() -> None:
    with ExitStack() as stack:
        opened = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(300)]
        for one in opened:
            one.bind(("127.0.0.1", 0))
        ports = {one.getsockname()[1] for one in opened}
        table = PortTable.look()
        members = sockets.bound_udp()
        assert ports <= table.by_port.keys()
        assert all(sockets.joined(members, "127.0.0.1", port) == 1 for port in ports)
        found = table.holding("127.0.0.1", min(ports))
        assert found is not None
        assert [holder.pid for holder in sockets.holders([found.inode])[found.inode]] == [os.getpid()]
        assert table.holding("0.0.0.0", min(ports)) == found
        assert table.holding("127.0.0.2", min(ports)) is None


def test_the_holder_of_a_port_is_named_from_what_is_there_now() -> None:
    book = HolderBook()
    port = ListeningPort("udp", "127.0.0.1", 0, ("source", "port"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.bind(("127.0.0.1", 0))
        found = PortTable.look().holding("127.0.0.1", opened.getsockname()[1])
        assert found is not None
        first = book.sentences([(port, found)])
        assert f"(PID {os.getpid()})" in first[0]
        assert book.sentences([(port, found)]) == first
    assert book.sentences([(port, found)]) == [
        "source.port: UDP port 0 is taken by a process we may not see (another user or container)"
    ]


def test_addresses_compete_where_one_is_any() -> None:
    assert sockets.overlap("0.0.0.0", "127.0.0.1")
    assert sockets.overlap("::", "127.0.0.1")
    assert not sockets.overlap("::1", "127.0.0.1")
    assert not sockets.overlap("127.0.0.2", "127.0.0.1")
