"""The ownership tag: what the environment of a process says of who started it, and for what."""

from __future__ import annotations

import itertools
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

INSTANCE = "SRT_ROUTER_INSTANCE"
ROUTE = "SRT_ROUTER_ROUTE"
PROCESS = "SRT_ROUTER_PROCESS"
SPEC = "SRT_ROUTER_SPEC"
NONCE = "SRT_ROUTER_NONCE"
DATA_DIR = "SRT_ROUTER_DATA_DIR"
BUSES = "SRT_ROUTER_BUSES"

SERVER, STREAM_MONITOR = "server", "streamMonitor"
"""What stands in place of a route, and the process type, of the process that the server itself needs: no
route can be called so. All that process starts carries the same."""

OF_NO_ROUTE = "probe"
"""The process type, without a route, of what the server starts to find something out: it ends by itself, soon."""

_SERVER_LIFE = secrets.token_hex(8)
"""Random, once for each life of the server: asking the kernel anew for each process costs more than all
the rest of the tag."""

_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "FONTCONFIG_PATH")
"""What a child needs of our own environment. Nothing else is passed on: it may hold secrets
(SRT_ROUTER_ADMIN_PASSWORD), and every local process of our user can read a child's environment."""


@dataclass(frozen=True, slots=True)
class Tag:
    """The tag of one process. It counts only on a process of our own user (see orphans)."""

    instance: str
    """UUID of the installation, kept in its DATA_DIR."""
    data_dir: str
    """DATA_DIR of that installation: whoever wants to know whether it lives looks for its lock there."""
    route: str = ""
    process: str = ""
    spec: str = ""
    nonce: str = ""
    buses: str = ""
    """The buses of its route, as they were planned: `group:port`, and a second one behind a comma."""

    @property
    def is_trial(self) -> bool:
        """It finds something out for the server that has started it, and ends by itself."""
        return not self.route and self.process == OF_NO_ROUTE

    @property
    def is_of_this_life(self) -> bool:
        """This very server started it."""
        return self.nonce.startswith(f"{_SERVER_LIFE}-")

    def environment(self) -> dict[str, str]:
        """The whole environment for a child that carries this tag."""
        return _kept() | self.marks()

    def marks(self) -> dict[str, str]:
        """The tag alone, as it stands in an environment."""
        return {
            INSTANCE: self.instance,
            DATA_DIR: self.data_dir,
            ROUTE: self.route,
            PROCESS: self.process,
            SPEC: self.spec,
            NONCE: self.nonce,
            BUSES: self.buses,
        }


@cache
def _kept() -> dict[str, str]:
    return {name: os.environ[name] for name in _KEPT if name in os.environ}


def own_name(process: str | None, program: str) -> str:
    """What a process is called for people: its program, or its process type where that is a program of ours."""
    if process is not None and process.startswith("udpDuplicator"):
        return "udpDuplicator"
    return STREAM_MONITOR if process == STREAM_MONITOR and program.startswith("python") else program


def read_tag(environment: Mapping[str, str]) -> Tag | None:
    """The tag in an environment, or None. The server itself carries none: it is told by its lock."""
    if not environment.get(INSTANCE) or NONCE not in environment:
        return None
    return Tag(
        instance=environment[INSTANCE],
        data_dir=environment.get(DATA_DIR, ""),
        route=environment.get(ROUTE, ""),
        process=environment.get(PROCESS, ""),
        spec=environment.get(SPEC, ""),
        nonce=environment[NONCE],
        buses=environment.get(BUSES, ""),
    )


_NONCES = (f"{_SERVER_LIFE}-{number}" for number in itertools.count(1))


def new_nonce() -> str:
    """A fresh nonce, never given before: start times repeat under fast PID reuse, nonces do not."""
    return next(_NONCES)
