"""What lives: media processes as /proc shows them, seen without the product's own code."""

from __future__ import annotations

import os
from pathlib import Path


def alive(pid: int) -> bool:
    """True while the process exists and is no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat[stat.rindex(")") + 2] not in "ZX"


def tags(pid: int) -> dict[str, str]:
    """The ownership tag of a process."""
    try:
        block = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return {}
    items = (os.fsdecode(item).partition("=") for item in block if item.startswith(b"SRT_ROUTER_"))
    return {name: value for name, _, value in items}


def media() -> dict[int, str]:
    """Every live srt-live-transmit, ffmpeg and tagged process: PID and name of its program."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        try:
            program = (folder / "exe").readlink().name
        except OSError:
            continue
        if alive(pid) and (program in ("srt-live-transmit", "ffmpeg") or "SRT_ROUTER_NONCE" in tags(pid)):
            found[pid] = program
    return found
