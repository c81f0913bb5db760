"""What the bus between the processes of a route needs of the kernel."""

from __future__ import annotations

import errno
import os
import secrets
import socket
import time
from pathlib import Path

from srt_router.doctor.check import Check, fail, ok, warn
from srt_router.routes.addresses import BUS_NETWORK
from srt_router.system_checks import BUS_BUFFER_BYTES, receive_buffer_limit

_RMEM_MAX = Path("/proc/sys/net/core/rmem_max")
_WANTED_RMEM = 8_388_608
_LO = "127.0.0.1"
_PATIENCE_S = 0.5


def receive_buffers() -> list[Check]:
    """The largest receive buffer that a process may ask for."""
    name, found = "net.core.rmem_max", receive_buffer_limit()
    if found is None:
        return [warn(name, "cannot be read here", f"outside of the container: sysctl -w {name}={_WANTED_RMEM}")]
    if found >= BUS_BUFFER_BYTES:
        return [ok(name, str(found))]
    message = f"{found} is less than {BUS_BUFFER_BYTES}: bursts are lost between the processes of a route"
    keep = f"echo {name}={_WANTED_RMEM} > /etc/sysctl.d/60-srt-router.conf"
    return [fail(name, message, f"sysctl -w {name}={_WANTED_RMEM}; to keep it: {keep}", fix=raise_rmem_max)]


def raise_rmem_max() -> str:
    """For the time until the next boot. Raises OSError where that is not allowed."""
    _RMEM_MAX.write_text(f"{_WANTED_RMEM}\n")
    return f"set to {_WANTED_RMEM} until the next boot"


def loopback_multicast() -> list[Check]:
    """Send one datagram over a bus and receive it."""
    name = "loopback multicast"
    group = str(BUS_NETWORK[secrets.randbelow(BUS_NETWORK.num_addresses - 2) + 1])
    remedy = "ip link set lo up; let the firewall pass multicast on lo"
    started = time.monotonic()
    try:
        found = send_and_receive(group)
    except TimeoutError:
        message = f"a datagram to {group} on lo did not arrive within {_PATIENCE_S:g} s: no stream passes"
        return [fail(name, message, remedy)]
    except OSError as error:
        reason = error.strerror or errno.errorcode.get(error.errno or 0, str(error))
        return [fail(name, f"{group} on lo cannot be used ({reason}): no stream passes", remedy)]
    if not found:
        return [fail(name, f"{group} on lo delivers other datagrams than were sent", "another program uses that group")]
    return [ok(name, f"a datagram to {group} on lo took {(time.monotonic() - started) * 1000:.1f} ms")]


def send_and_receive(group: str) -> bool:
    """True when what was sent came back. Raises OSError, TimeoutError."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        receiver.settimeout(_PATIENCE_S)
        receiver.bind((group, 0))
        membership = socket.inet_aton(group) + socket.inet_aton(_LO)
        receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(_LO))
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
        sender.setblocking(False)
        word = os.urandom(16)
        sender.sendto(word, (group, receiver.getsockname()[1]))
        return receiver.recv(2048) == word
