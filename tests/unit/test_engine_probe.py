"""Which hardware encoders are offered: those that were seen to encode, and nothing is tried without a device."""

from __future__ import annotations

from pathlib import Path

import pytest

from srt_router import engine_probe

LISTED = " V....D h264_nvenc  NVIDIA\n V..... h264_qsv  Intel\n V....D hevc_nvenc  NVIDIA\n V....D h264_vaapi  VAAPI\n"


class Machine:
    """A machine with some devices, on which some encoders work."""

    def __init__(self, devices: set[str], working: set[str], *, listed: str = LISTED) -> None:
        self.devices, self.working, self.listed = devices, working, listed
        self.asked: list[str] = []

    def set_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Path, "exists", lambda path: str(path) in self.devices)
        monkeypatch.setattr(engine_probe, "_output", self.output)

    async def output(self, *argv: str, check: bool = False) -> str:
        if "-encoders" in argv:
            self.asked.append("list")
            return self.listed
        encoder = argv[argv.index("-c:v") + 1]
        self.asked.append(encoder)
        if encoder == "hevc_nvenc":
            raise TimeoutError
        if encoder not in self.working:
            raise ValueError("ffmpeg ended with 1")
        return ""


async def test_without_a_device_nothing_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(set(), {"h264_nvenc"})
    machine.set_up(monkeypatch)
    assert await engine_probe.working_encoders() == frozenset()
    assert machine.asked == []


async def test_only_what_encodes_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine({"/dev/nvidiactl", "/dev/dri/renderD128"}, {"h264_nvenc", "h264_vaapi", "hevc_vaapi"})
    machine.set_up(monkeypatch)
    assert await engine_probe.working_encoders() == {"h264_nvenc", "h264_vaapi"}
    assert set(machine.asked) == {"list", "h264_nvenc", "hevc_nvenc", "h264_qsv", "h264_vaapi"}


async def test_a_device_of_one_kind_tries_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine({"/dev/nvidiactl"}, {"h264_vaapi"})
    machine.set_up(monkeypatch)
    assert await engine_probe.working_encoders() == frozenset()
    assert set(machine.asked) == {"list", "h264_nvenc", "hevc_nvenc"}


@pytest.mark.parametrize("error", [FileNotFoundError, TimeoutError])
async def test_without_ffmpeg_there_is_no_hardware(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    async def fails(*_argv: str, check: bool = False) -> str:
        raise error

    monkeypatch.setattr(Path, "exists", lambda _path: True)
    monkeypatch.setattr(engine_probe, "_output", fails)
    assert await engine_probe.working_encoders() == frozenset()
