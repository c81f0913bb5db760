"""What is loaded when: whoever calls a server that is being replaced waits for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

WEB = {"fastapi", "uvicorn", "prometheus_client"}


def loaded(module: str) -> set[str]:
    """The packages that are loaded with it."""
    code = f"import sys, {module}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_what_runs_is_taken_over_without_the_web_framework() -> None:
    """It is loaded once every process has been taken over: half of all that is loaded."""
    assert not loaded("srt_router.main") & WEB
    assert loaded("srt_router.api.app, srt_router.api.server") >= WEB


@pytest.mark.parametrize("unneeded", ["aiosmtplib", "httpx", "rich", "yaml", "numpy", "matplotlib"])
def test_serve_loads_no_other_command(unneeded: str) -> None:
    assert unneeded not in loaded("srt_router.cli.app, srt_router.main")
