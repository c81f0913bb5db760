"""Each check of the doctor can fail: with a reading, a folder or a file as it should not be."""

from __future__ import annotations

import errno
import json
import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from srt_router.doctor import configuration, examination, folders, kernel, machine, programs, running
from srt_router.doctor.check import Check, State, Subject, ok, warn
from srt_router.processes.sockets import UdpSocket
from srt_router.settings import Settings
from srt_router.supervision.checks import PortTable

GB = 1_000_000_000


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    """An installation in a folder of its own."""
    data, pids, run = (tmp_path / name for name in ("data", "pids", "run"))
    for path, mode in ((data, 0o750), (pids, 0o755), (run, 0o700)):
        path.mkdir()
        path.chmod(mode)
    return Subject(Settings(data_dir=data, pid_dir=pids, run_dir=run, port=0))


def worst(checks: Iterable[Check]) -> State:
    states = {check.state for check in checks}
    return next(state for state in (State.FAIL, State.WARN, State.OK) if state in states)


def by_name(checks: Iterable[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def write_routes(subject: Subject, *routes: dict[str, Any], mode: int = 0o600) -> Path:
    path = subject.settings.data_dir / "routes.json"
    path.write_text(json.dumps({"version": 1, "routes": routes}, indent=2))
    path.chmod(mode)
    return path


def a_route(source: dict[str, Any]) -> dict[str, Any]:
    return {"id": "route_1", "name": "One", "autoStart": True, "source": source, "destinations": []}


def program(folder: Path, name: str, text: str, status: int = 0) -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\necho '{text}'\nexit {status}\n")
    file.chmod(0o755)


# Programs


def test_an_old_python(monkeypatch: pytest.MonkeyPatch) -> None:
    assert worst(programs.python()) is State.OK
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    assert worst(programs.python()) is State.FAIL


@pytest.mark.parametrize(
    ("name", "check", "missing"),
    [
        ("srt-live-transmit", programs.srt_live_transmit, State.FAIL),
        ("ffmpeg", programs.ffmpeg, State.FAIL),
        ("ffprobe", programs.ffprobe, State.WARN),
    ],
)
def test_a_missing_or_broken_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, check: Callable[[], list[Check]], missing: State
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (found,) = check()
    assert (found.state, "apt install" in found.remedy) == (missing, True)
    program(tmp_path, name, "Segmentation fault", status=1)
    assert worst(check()) is missing


@pytest.mark.parametrize(("version", "state"), [("1.4.4", State.WARN), ("1.5.1", State.OK), ("1.5.5", State.OK)])
def test_versions_of_srt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, state: State) -> None:
    program(tmp_path, "srt-live-transmit", f"SRT Library version: {version}")
    monkeypatch.setenv("PATH", str(tmp_path))
    (found,) = programs.srt_live_transmit()
    assert found.state is state
    assert ("rendezvous" in found.message) is (version == "1.5.1")


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("ffmpeg version 5.1.9-0+deb12u1 Copyright", State.OK),
        ("ffmpeg version n7.0 Copyright", State.OK),
        ("ffmpeg version N-109468-gd39b34123d Copyright", State.OK),
        ("ffmpeg version 3.4.8 Copyright", State.WARN),
    ],
)
def test_versions_of_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, state: State) -> None:
    program(tmp_path, "ffmpeg", text)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert worst(programs.ffmpeg()) is state


# Kernel


@pytest.mark.parametrize(("limit", "state"), [(212_992, State.FAIL), (None, State.WARN), (8_388_608, State.OK)])
def test_receive_buffers(monkeypatch: pytest.MonkeyPatch, limit: int | None, state: State) -> None:
    monkeypatch.setattr(kernel, "receive_buffer_limit", lambda: limit)
    (found,) = kernel.receive_buffers()
    assert found.state is state
    assert (found.fix is not None) is (state is State.FAIL)


def test_rmem_max_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "rmem_max"
    file.write_text("212992\n")
    monkeypatch.setattr(kernel, "_RMEM_MAX", file)
    monkeypatch.setattr(kernel, "receive_buffer_limit", lambda: int(file.read_text()))
    (found,) = examination.carry_out("receive buffers", kernel.receive_buffers, fix=True)
    assert (found.state, "set to 8388608" in found.fixed) == (State.OK, True)


@pytest.mark.parametrize("error", [TimeoutError(), OSError(errno.ENETUNREACH, "Network is unreachable")])
def test_loopback_multicast(monkeypatch: pytest.MonkeyPatch, error: OSError) -> None:
    def broken(_group: str) -> bool:
        raise error

    monkeypatch.setattr(kernel, "send_and_receive", broken)
    (found,) = kernel.loopback_multicast()
    assert (found.state, "no stream passes" in found.message) == (State.FAIL, True)
    monkeypatch.setattr(kernel, "send_and_receive", lambda _group: False)
    assert worst(kernel.loopback_multicast()) is State.FAIL


# Machine


@pytest.mark.parametrize(
    ("year", "synchronised", "state"),
    [(1970, True, State.FAIL), (2170, True, State.FAIL), (2026, False, State.WARN), (2026, None, State.OK)],
)
def test_clock(year: int, synchronised: bool | None, state: State) -> None:
    assert worst(machine.judge_clock(year, synchronised)) is state
    assert worst(machine.judge_clock(2026, True)) is State.OK
    assert machine.synchronised() in (True, False, None)


@pytest.mark.parametrize(
    ("free", "swap_free", "state"),
    [(30_000_000, 0, State.FAIL), (100_000_000, GB, State.WARN), (GB, 100_000, State.WARN), (GB, GB, State.OK)],
)
def test_memory(free: int, swap_free: int, state: State) -> None:
    readings = {"MemTotal": 8 * GB, "MemAvailable": free, "SwapTotal": GB, "SwapFree": swap_free}
    assert worst(machine.judge_memory(readings)) is state
    assert machine.memory()


@pytest.mark.parametrize(
    ("limits", "state"),
    [
        (machine.Limits(256, None, None), State.FAIL),
        (machine.Limits(None, 100, None), State.FAIL),
        (machine.Limits(None, None, 100), State.FAIL),
        (machine.Limits(1024, None, None), State.WARN),
        (machine.Limits(65536, None, 40000), State.OK),
    ],
)
def test_limits(limits: machine.Limits, state: State) -> None:
    assert worst(machine.judge_limits(limits, 128)) is state


def test_the_limits_of_this_process_are_read(subject: Subject) -> None:
    assert len(list(machine.limits(subject))) == 3


@pytest.mark.parametrize(
    ("lines", "state"),
    [
        (["LoadState=not-found", "ActiveState=inactive"], State.OK),
        (["LoadState=loaded", "ActiveState=failed", "Result=exit-code"], State.FAIL),
        (["LoadState=loaded", "ActiveState=inactive"], State.WARN),
        (["LoadState=loaded", "ActiveState=active", "NRestarts=3"], State.WARN),
        (["LoadState=loaded", "ActiveState=active", "NRestarts=0"], State.OK),
    ],
)
def test_the_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: list[str], state: State) -> None:
    assert worst(machine.judge_unit(lines)) is state
    program(tmp_path, "systemctl", "\n".join(lines))
    monkeypatch.setattr(machine, "_SYSTEMD", tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert worst(machine.systemd()) is state
    program(tmp_path, "systemctl", "Failed to connect to bus", status=1)
    assert worst(machine.systemd()) is State.WARN


# Folders


def spoil_missing(path: Path) -> None:
    path.rmdir()


def spoil_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def spoil_file(path: Path) -> None:
    path.rmdir()
    path.write_text("")


def spoil_mode(path: Path) -> None:
    path.chmod(0o777)


@pytest.mark.parametrize("name", ["DATA_DIR", "PID_DIR", "RUN_DIR"])
@pytest.mark.parametrize("spoil", [spoil_link, spoil_file, spoil_mode])
def test_a_folder_that_cannot_be_trusted(subject: Subject, name: str, spoil: Callable[[Path], None]) -> None:
    assert worst([check for check in folders.folders(subject) if check.name == name]) is State.OK
    spoil(subject.folders()[name])
    found = by_name(folders.folders(Subject(subject.settings)))[name]
    assert found.state is State.FAIL
    assert found.remedy
    assert found.fix is None  # nobody but a person may decide that what lies there is harmless


def test_a_folder_of_somebody_else(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    us = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: us + 1)
    found = by_name(folders.folders(subject))
    assert (found["DATA_DIR"].state, found["PID_DIR"].state) == (State.FAIL, State.FAIL)
    assert worst(folders.user(Subject(subject.settings))) is State.WARN


def test_a_folder_that_cannot_be_made(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    subject.settings.run_dir.rmdir()
    assert by_name(folders.folders(subject))["RUN_DIR"].state is State.OK
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    assert by_name(folders.folders(subject))["RUN_DIR"].state is State.FAIL
    assert by_name(folders.folders(subject))["DATA_DIR"].state is State.FAIL


def test_modes_and_a_missing_pid_dir_are_mended(subject: Subject) -> None:
    settings = subject.settings
    settings.pid_dir.rmdir()
    settings.run_dir.chmod(0o755)
    assert by_name(folders.folders(subject))["PID_DIR"].state is State.WARN
    found = by_name(examination.carry_out("folders", lambda: folders.folders(Subject(settings)), fix=True))
    assert (found["PID_DIR"].state, found["RUN_DIR"].state) == (State.OK, State.OK)
    assert found["PID_DIR"].fixed.startswith("made ")
    assert settings.pid_dir.stat().st_mode & 0o777 == 0o755
    assert settings.run_dir.stat().st_mode & 0o777 == 0o750
    settings.pid_dir.chmod(0o700)
    assert by_name(folders.folders(Subject(settings)))["PID_DIR"].state is State.WARN


def test_run_dir_on_a_disk(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "RUN_DIR is in memory"
    monkeypatch.setattr(folders, "file_system", lambda _path: "ext4")
    assert by_name(folders.folders(subject))[name].state is State.WARN
    monkeypatch.setattr(folders, "file_system", lambda _path: "tmpfs")
    assert by_name(folders.folders(subject))[name].state is State.OK


class Statvfs(NamedTuple):
    f_bavail: int = 10_000_000
    f_frsize: int = 4096
    f_files: int = 1_000_000
    f_favail: int = 900_000
    f_flag: int = 0


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (Statvfs(), State.OK),
        (Statvfs(f_bavail=1000), State.FAIL),
        (Statvfs(f_bavail=20_000), State.WARN),
        (Statvfs(f_favail=10), State.FAIL),
        (Statvfs(f_favail=500), State.WARN),
        (Statvfs(f_files=0, f_favail=0), State.OK),
        (Statvfs(f_flag=os.ST_RDONLY), State.FAIL),
    ],
)
def test_disk(subject: Subject, monkeypatch: pytest.MonkeyPatch, found: Statvfs, state: State) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _path: found)
    assert worst(folders.disk(subject)) is state


# Configuration


def test_every_error_of_routes_json_is_told(subject: Subject) -> None:
    assert worst(configuration.routes_file(subject)) is State.OK
    write_routes(
        subject, a_route({"type": "srt", "mode": "listener", "port": 0}), {"id": "route_2", "passphrase": "correct-1"}
    )
    errors = [check for check in configuration.routes_file(Subject(subject.settings)) if check.state is State.FAIL]
    assert len(errors) > 1
    assert any("line " in check.message and "routes[0].source.port" in check.message for check in errors)
    assert "correct-1" not in str(errors)


def test_routes_json_that_everybody_may_read(subject: Subject) -> None:
    write_routes(subject, mode=0o644)
    assert worst(configuration.routes_file(subject)) is State.OK  # DATA_DIR keeps others out
    subject.settings.data_dir.chmod(0o755)
    assert worst(configuration.routes_file(Subject(subject.settings))) is State.WARN


def test_rendezvous_with_an_old_srt(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    assert worst(configuration.engine(subject)) is State.OK
    write_routes(subject, a_route({"type": "srt", "mode": "rendezvous", "host": "192.0.2.1", "port": 4000}))
    for version, state in (((1, 5, 1), State.WARN), ((1, 5, 4), State.OK)):
        monkeypatch.setattr(shutil, "which", lambda name: name)
        monkeypatch.setattr(configuration, "srt_version", lambda _path, version=version: version)
        assert worst(configuration.engine(Subject(subject.settings))) is state
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    assert worst(configuration.engine(Subject(subject.settings))) is State.WARN


def test_a_port_that_somebody_else_holds(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("0.0.0.0", 0))
        port = holder.getsockname()[1]
        write_routes(subject, a_route({"type": "srt", "mode": "listener", "port": port}))
        (found,) = configuration.ports(subject)
        assert (found.state, found.name) == (State.FAIL, f"port {port}")
        assert f"PID {os.getpid()}" in found.message
        assert "route route_1, source.port" in found.message
    assert worst(configuration.ports(Subject(subject.settings))) is State.OK
    unseen = UdpSocket("0.0.0.0", port, 1, 0, 0)
    monkeypatch.setattr(PortTable, "look", lambda: PortTable({port: [unseen]}))
    assert "cannot be seen" in next(iter(configuration.ports(Subject(subject.settings)))).message


# What runs


def test_an_address_that_is_taken(subject: Subject) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        settings = subject.settings.model_copy(update={"port": other.getsockname()[1]})
        (found,) = running.address(Subject(settings))
        assert (found.state, f"PID {os.getpid()}" in found.message) == (State.FAIL, True)
    assert worst(running.address(Subject(settings))) is State.OK
    monkey = settings.model_copy(update={"host": "192.0.2.1"})
    assert worst(running.address(Subject(monkey))) is State.FAIL


def test_stale_pid_files_are_removed(subject: Subject) -> None:
    file = subject.settings.pid_dir / "route_1_srt.pid"
    file.write_text("4194000\n1\n")
    (found,) = running.pid_files(subject)
    assert (found.state, "route_1_srt.pid" in found.message) == (State.WARN, True)
    mended = examination.carry_out("PID files", lambda: running.pid_files(Subject(subject.settings)), fix=True)
    assert (worst(mended), file.exists()) == (State.OK, False)


# All together


def test_a_check_that_crashes_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> list[Check]:
        raise ZeroDivisionError("one of us")

    monkeypatch.setattr(examination, "WITHOUT_SETTINGS", {"broken": broken, "other": lambda: [ok("other", "fine")]})
    monkeypatch.setattr(examination, "WITH_SETTINGS", {})
    found = by_name(examination.examine(None, {}))
    assert found["broken"].state is State.FAIL
    assert "ZeroDivisionError: one of us" in found["broken"].message
    assert found["other"].state is State.OK


def test_what_cannot_be_mended_says_why() -> None:
    def refuse() -> str:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    (found,) = examination.carry_out("x", lambda: [warn("x", "bad", "try", fix=refuse)], fix=True)
    assert (found.state, found.fixed) == (State.WARN, "could not be mended: Operation not permitted")


def test_bad_settings_are_a_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination, "WITHOUT_SETTINGS", {})
    found = list(examination.examine(None, {"SRT_ROUTER_PORT": "http"}))
    assert [check.state for check in found] == [State.FAIL]
    assert "PORT" in found[0].message
