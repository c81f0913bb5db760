"""The socket that the API listens on. It is there before anything is touched, and loads no web framework for that."""

from __future__ import annotations

import socket

from srt_router.errors import PortTaken


def bind(host: str, port: int) -> socket.socket:
    """A listening socket's address, taken before anything else is touched. Raises PortTaken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # named as TCP, or asyncio leaves Nagle on: each answer on a kept connection would wait 40 ms for an ACK
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise PortTaken(
            f"cannot listen on {host}:{port}: {error.strerror}: stop what uses it, or set another PORT"
        ) from error
    return listener


def url(listener: socket.socket, *, tls: bool = False) -> str:
    """Where the server is reached from this machine."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http{'s' if tls else ''}://{f'[{host}]' if ':' in host else host}:{port}/"
