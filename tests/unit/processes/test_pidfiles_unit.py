"""PID files and the directories that hold them: written, read, and distrusted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srt_router.errors import AlreadyRunning, UnsafeDirectory
from srt_router.processes import directories
from srt_router.processes.directories import SafeDirectory, is_locked, lock_holder
from srt_router.processes.instance import is_live, keep_instance, open_instance, read_instance_id
from srt_router.processes.pidfiles import PidDirectory, PidFile


def opened(path: Path) -> SafeDirectory:
    return SafeDirectory(path, mode=0o755, setting="PID_DIR")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "pids"


@pytest.fixture
def pid_files(folder: Path) -> Iterator[PidDirectory]:
    directory = opened(folder)
    yield PidDirectory(directory)
    directory.close()


# Names

ROUTES = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
PROCESSES = st.from_regex(
    r"(srt|ffmpeg|udpDuplicator|testSource)(\.[0-9]{1,2})?|srtOut:[0-9]{1,5}(\.[0-9])?", fullmatch=True
)


@given(ROUTES, PROCESSES)
def test_a_name_says_route_and_process(route: str, process: str) -> None:
    found = PidFile(f"{route}_{process}.pid", 1, None)
    assert (found.route, found.process_type) == (route, process)


@pytest.mark.parametrize(
    "name", ["x.pid", ".pid", "_srt.pid", "route 1_srt.pid", "route_1_srtOut:.pid", "../x_srt.pid"]
)
def test_a_name_of_nobody(name: str) -> None:
    assert (PidFile(name, 1, None).route, PidFile(name, 1, None).process_type) == (None, None)


# Content


def test_two_lines_and_nothing_else(pid_files: PidDirectory, folder: Path) -> None:
    pid_files.write("route_1_srtOut:6000", 232607)
    lines = (folder / "route_1_srtOut:6000.pid").read_text().split("\n")
    assert lines[0] == "232607"
    assert len(lines[1]) == 13
    assert lines[2:] == [""]
    found = pid_files.read("route_1_srtOut:6000.pid")
    assert (found.pid, str(found.written_ms), found.problem) == (232607, lines[1], None)
    assert [one.name for one in pid_files.files()] == ["route_1_srtOut:6000.pid"]
    assert (folder / "route_1_srtOut:6000.pid").stat().st_mode & 0o777 == 0o644


def test_a_left_over_of_a_crashed_write_disturbs_nobody(pid_files: PidDirectory, folder: Path) -> None:
    (folder / ".route_1_srt.tmp").write_text("12")
    assert list(pid_files.files()) == []
    pid_files.write("route_1_srt", 77)
    assert pid_files.read("route_1_srt.pid").pid == 77
    (folder / ".route_1_srt.tmp").write_text("12")
    pid_files.remove_left_overs()
    assert [path.name for path in folder.iterdir()] == ["route_1_srt.pid"]


def test_only_the_named_one_is_removed(pid_files: PidDirectory) -> None:
    pid_files.write("route_1_srt", 77)
    pid_files.remove_if("route_1_srt", 78)
    assert pid_files.read("route_1_srt.pid").pid == 77
    pid_files.remove_if("route_1_srt", 77)
    assert list(pid_files.files()) == []
    pid_files.remove("route_1_srt.pid")  # twice does no harm


def test_what_all_of_them_name(pid_files: PidDirectory, folder: Path) -> None:
    pid_files.write("route_1_srt", 77)
    pid_files.write("route_1_srtOut:4001", 78)
    (folder / "route_2_srt.pid").write_text("nobody")
    (folder / ".route_3_srt.tmp").write_text("79")
    (folder / "route_4_srt.pid").symlink_to(folder / "route_1_srt.pid")
    assert pid_files.named() == {"route_1_srt": 77, "route_1_srtOut:4001": 78}


NOT_A_PID = ["", "\n", " ", "abc", "-1", "-232607", "+5", "0x10", "1e3", "12 13", "\u0665", "9" * 17, "\0", "12\x0013"]


@pytest.mark.parametrize("text", NOT_A_PID)
def test_what_is_no_pid(pid_files: PidDirectory, folder: Path, text: str) -> None:
    (folder / "x_srt.pid").write_text(text)
    found = pid_files.read("x_srt.pid")
    assert found.pid is None
    assert found.problem == "holds no PID"


@given(st.binary(max_size=5000))
def test_any_content_is_read(content: bytes) -> None:
    path = Path(f"/tmp/srt-router-test-{os.getpid()}")
    directory = opened(path)
    try:
        (path / "x.pid").write_bytes(content)
        found = PidDirectory(directory).read("x.pid")
        assert found.pid is None or found.pid >= 0
        assert (found.pid is None) == (found.problem is not None)
    finally:
        directory.close()
        (path / "x.pid").unlink()
        path.rmdir()


def test_files_that_are_not_what_they_should_be(pid_files: PidDirectory, folder: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("4242\n")
    (folder / "symlink.pid").symlink_to(victim)
    os.link(victim, folder / "hardlink.pid")
    os.mkfifo(folder / "fifo.pid")
    (folder / "directory.pid").mkdir()
    (folder / "huge.pid").touch()
    os.truncate(folder / "huge.pid", 1 << 30)
    (folder / "dangling.pid").symlink_to("/nonexistent")
    (folder / "note.txt").write_text("4242")
    found = {file.name: file for file in pid_files.files()}
    assert set(found) == {f"{n}.pid" for n in ("symlink", "hardlink", "fifo", "directory", "huge", "dangling")}
    assert all(file.pid is None and file.problem for file in found.values())
    assert "symbolic links" in (found["symlink.pid"].problem or "")
    assert "hard link" in (found["hardlink.pid"].problem or "")
    assert "too large (1073741824 bytes)" in (found["huge.pid"].problem or "")
    assert [name for name, file in found.items() if file.directory] == ["directory.pid"]
    for name in found:
        pid_files.remove(name)
    assert sorted(path.name for path in folder.iterdir()) == ["directory.pid", "note.txt"]
    assert victim.read_text() == "4242\n"


# Directories


def test_it_is_made_as_the_contract_says(folder: Path) -> None:
    before = os.umask(0o077)
    try:
        opened(folder).close()
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o7777 == 0o755


def refused(path: Path, *words: str) -> None:
    with pytest.raises(UnsafeDirectory) as caught:
        opened(path)
    message = str(caught.value)
    assert message.startswith(f"PID_DIR {path} ")
    assert "\n" not in message
    for word in words:
        assert word in message


def test_a_symbolic_link_is_refused(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    folder.symlink_to(tmp_path / "elsewhere")
    refused(folder, "symbolic link", "remove it, or set PID_DIR")
    folder.unlink()
    folder.symlink_to("/nonexistent/dangling")
    refused(folder, "symbolic link")


def test_a_file_is_refused(folder: Path) -> None:
    folder.write_text("")
    refused(folder, "is no directory", "remove it, or set PID_DIR")


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o775, 0o757])
def test_one_that_others_can_write_is_refused(folder: Path, mode: int) -> None:
    folder.mkdir()
    folder.chmod(mode)
    refused(folder, f"mode {mode:04o}", f"chmod 755 {folder}")


def test_one_of_somebody_else_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    refused(folder, f"belongs to user {folder.stat().st_uid}", "not to us (user 4242)", "set PID_DIR to another place")


def test_one_under_a_file_is_refused(folder: Path) -> None:
    folder.write_text("")
    refused(folder / "below", "set PID_DIR to another place")


def test_a_descriptor_is_not_kept_after_a_refusal(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)
    before = len(list(Path("/proc/self/fd").iterdir()))
    refused(folder)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


# Locks and installations


def test_a_lock_names_its_holder_and_ends_with_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directories, "_LOCK_PATIENCE_S", 0.02)
    first, second = opened(folder), opened(folder)
    first.lock("PID_DIR")
    assert is_locked(folder)
    assert lock_holder(folder.stat()) == os.getpid()
    with pytest.raises(AlreadyRunning, match=rf"PID {os.getpid()}.*stop it first"):
        second.lock("PID_DIR")
    first.close()
    assert not is_locked(folder)
    second.lock("PID_DIR")
    second.close()


def test_who_looks_for_a_lock_never_holds_up_a_server(folder: Path) -> None:
    directory = opened(folder)
    assert not is_locked(folder)
    directory.lock("PID_DIR")
    directory.close()
    assert not is_locked(folder / "missing")
    (folder / "file").write_text("")
    assert not is_locked(folder / "file")


def test_an_installation_keeps_its_name(tmp_path: Path) -> None:
    directory = SafeDirectory(tmp_path / "data", mode=0o750, setting="DATA_DIR")
    first = open_instance(directory)
    assert open_instance(directory).first_start  # a start that fails before its cleanup has not been the first one
    keep_instance(directory, first)
    again = open_instance(directory)
    assert first.first_start
    assert not again.first_start
    assert first.id == again.id == read_instance_id(tmp_path / "data")
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["instance-id"]
    (tmp_path / "data" / "instance-id").write_text("no uuid")
    assert open_instance(directory).first_start
    directory.close()


def test_who_lives(tmp_path: Path) -> None:
    directory = SafeDirectory(tmp_path / "data", mode=0o750, setting="DATA_DIR")
    instance = open_instance(directory)
    keep_instance(directory, instance)
    assert not is_live(instance.id, instance.data_dir)
    directory.lock("DATA_DIR")
    assert is_live(instance.id, instance.data_dir)
    assert not is_live("another", instance.data_dir)  # its DATA_DIR has become somebody else's
    assert not is_live(instance.id, "data")
    assert not is_live(instance.id, "")
    assert not is_live(instance.id, str(tmp_path / "missing"))
    directory.close()
    assert not is_live(instance.id, instance.data_dir)
