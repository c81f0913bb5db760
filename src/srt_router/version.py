"""Which SRT Router this is, in a line."""

from __future__ import annotations

from pathlib import Path

from srt_router import __version__

_BUILD = Path(__file__).with_name("build.txt")
"""Written by packaging/build.sh into what it builds: the commit, or where there is none the time."""


def version_line() -> str:
    """`srt-router 0.1.0 (build 3fe67ba)`; in a checkout without the build."""
    try:
        return f"srt-router {__version__} (build {_BUILD.read_text('utf-8').strip()})"
    except OSError:
        return f"srt-router {__version__}"
