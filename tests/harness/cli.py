"""The commands, run as a user runs them, on the folders of a test server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.harness.server import Server

PROGRAM = [sys.executable, "-m", "srt_router"]


def environment(folder: Path, **settings: str) -> dict[str, str]:
    """Settings for the installation in a test folder, laid out as `Server` does."""
    own = {
        "DATA_DIR": str(folder / "data"),
        "PID_DIR": str(folder / "pids"),
        "RUN_DIR": str(folder / "run"),
        "PORT": "0",
        **settings,
    }
    rest = {name: value for name, value in os.environ.items() if not name.startswith("SRT_ROUTER_")}
    return {**rest, **{f"SRT_ROUTER_{key}": value for key, value in own.items()}}


def run(
    where: Server | Path, *arguments: str, stdin: str = "", extra: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `srt-router …` to its end."""
    folder = where.data_dir.parent if isinstance(where, Server) else where
    return subprocess.run(
        [*PROGRAM, *arguments],
        input=stdin,
        env={**environment(folder), **(extra or {})},
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )


def run_json(where: Server | Path, *arguments: str, stdin: str = "") -> dict[str, Any]:
    """Run a command with --json; what it prints."""
    done = run(where, *arguments, "--json", stdin=stdin)
    found: dict[str, Any] = json.loads(done.stdout)
    return found
