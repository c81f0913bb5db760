"""What others named forges no line and steers no terminal."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from srt_router.log_setup import FILE_NAME, logging_to


@pytest.fixture
def _root() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers, root.level
    yield
    root.handlers, root.level = before


@pytest.mark.usefixtures("_root")
def test_one_record_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with logging_to(tmp_path):
        log = logging.getLogger("PidManager")
        log.info("UDP port %d is taken by %s", 4000, "x\x1b[2J\r\n[RouteManager] Route route_1 is stopped")
        try:
            int("two\nlines")
        except ValueError:
            log.exception("Something failed")
    out = capsys.readouterr().out
    assert out.startswith("[PidManager] UDP port 4000 is taken by x�[2J��[RouteManager] Route route_1 is stopped\n")
    assert "\x1b" not in out
    assert "Traceback (most recent call last):\n" in out
    assert (tmp_path / FILE_NAME).read_text().count("Z INFO [PidManager] UDP port") == 1
