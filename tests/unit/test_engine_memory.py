"""What was found out of the programs counts while they are the same, and only where nothing was missing."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from srt_router import engine_memory, engine_probe
from srt_router.engine_memory import FILE_NAME, EngineMemory
from srt_router.processes.directories import SafeDirectory

OURS = replace(engine_probe.unknown(), clock=False)
FOUND = replace(OURS, srt_version=(1, 5, 4), ffmpeg_version="7.1", clock=True)


@pytest.fixture
def run_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SafeDirectory:
    """With programs of its own in PATH."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("srt-live-transmit", "ffmpeg"):
        (programs / name).write_text("#!/bin/sh\nexit 1\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    return SafeDirectory(tmp_path / "run", mode=0o700, setting="RUN_DIR")


def test_what_was_found_is_known_the_next_time(run_dir: SafeDirectory) -> None:
    assert EngineMemory(run_dir).recall(OURS) is None
    EngineMemory(run_dir).remember(replace(FOUND, encoders=frozenset({"h264_vaapi"}), python="/another/python"))
    known = EngineMemory(run_dir).recall(OURS)
    assert known == replace(FOUND, encoders=frozenset({"h264_vaapi"}))  # our own Python is not what an earlier one was


@pytest.mark.parametrize("how", ["rewritten", "removed", "shadowed"])
def test_another_program_is_tried_again(
    how: str, run_dir: SafeDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    EngineMemory(run_dir).remember(FOUND)
    program = tmp_path / "bin" / "srt-live-transmit"
    if how == "rewritten":
        program.write_text("#!/bin/sh\nexit 2 \n")
    elif how == "removed":
        program.unlink()
    else:
        (tmp_path / "first").mkdir()
        program.rename(tmp_path / "first" / program.name)
        monkeypatch.setenv("PATH", f"{tmp_path / 'first'}:{tmp_path / 'bin'}")
    assert EngineMemory(run_dir).recall(OURS) is None


def test_so_it_is_with_libraries_and_fonts(
    run_dir: SafeDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    libraries = tmp_path / "ld.so.cache"
    libraries.write_text("1")
    monkeypatch.setattr(engine_memory, "_ALSO", (str(libraries),))
    EngineMemory(run_dir).remember(FOUND)
    assert EngineMemory(run_dir).recall(OURS) == FOUND
    libraries.write_text("12")
    assert EngineMemory(run_dir).recall(OURS) is None


def test_what_is_replaced_during_the_trial_is_tried_again(run_dir: SafeDirectory, tmp_path: Path) -> None:
    memory = EngineMemory(run_dir)
    (tmp_path / "bin" / "ffmpeg").write_text("#!/bin/sh\nexit 33\n")
    memory.remember(FOUND)
    assert EngineMemory(run_dir).recall(OURS) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}', '{"format": 99, "marks": {}}'])
def test_a_garbled_file_is_no_matter(text: str, run_dir: SafeDirectory) -> None:
    (run_dir.path / FILE_NAME).write_text(text)
    assert EngineMemory(run_dir).recall(OURS) is None


async def test_a_program_that_fails_is_tried_each_time(
    run_dir: SafeDirectory, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        caplog.clear()
        memory = EngineMemory(run_dir)
        engine = await engine_probe.probe(memory)
        await engine_probe.hardware(memory, engine)
        assert "ffmpeg cannot draw text" in caplog.text
        assert engine.ffmpeg_version is None


async def test_what_is_known_is_not_tried(
    run_dir: SafeDirectory, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    EngineMemory(run_dir).remember(FOUND)

    async def never(*argv: str, check: bool = False) -> str:
        raise AssertionError(f"{argv} was tried")

    monkeypatch.setattr(engine_probe, "_output", never)
    with caplog.at_level(logging.INFO):
        engine = await engine_probe.probe(EngineMemory(run_dir))
    assert (engine.srt_version, engine.ffmpeg_version, engine.clock) == ((1, 5, 4), "7.1", True)
    assert "Found srt-live-transmit 1.5.4" in caplog.text
