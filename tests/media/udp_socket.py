"""UDP sockets of the test tools: unicast and multicast, and what the kernel dropped."""

from __future__ import annotations

import os
import socket
from pathlib import Path

_RECEIVE_BUFFER_BYTES = 8_000_000
_SO_RCVBUFFORCE = 33


def receiving(host: str, port: int, interface: str) -> socket.socket:
    """Bind to a unicast address, or join a multicast group on the interface with that address."""
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        udp.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER_BYTES)
    except PermissionError:
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
    udp.bind((host, port))
    if is_multicast(host):
        membership = socket.inet_aton(host) + socket.inet_aton(interface)
        udp.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
    return udp


def sending(host: str, interface: str) -> socket.socket:
    """Make a socket that may send to `host`, multicast by the interface with that address."""
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    if is_multicast(host):
        udp.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(interface))
        udp.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
    return udp


def is_multicast(host: str) -> bool:
    """True for 224.0.0.0 to 239.255.255.255."""
    return socket.inet_aton(host)[0] >> 4 == 14


def kernel_drops(udp: socket.socket) -> int:
    """Datagrams that the kernel threw away because this socket's buffer was full."""
    inode = str(os.fstat(udp.fileno()).st_ino)
    for line in Path("/proc/self/net/udp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[9] == inode:
            return int(fields[12])
    raise LookupError(f"socket {inode} is not in /proc/self/net/udp")
