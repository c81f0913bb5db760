"""What every test that kills relies on: the isolation itself."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import isolate
from tests.harness.wait import until, until_async

ISOLATE = Path(isolate.__file__)
CHECKOUT = Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def start(*command: str, program: Path = ISOLATE, stdin: int | None = None) -> Iterator[subprocess.Popen[str]]:
    argv = [sys.executable, str(program), *command]
    with subprocess.Popen(argv, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        yield process


def output(*command: str, program: Path = ISOLATE) -> str:
    with start(*command, program=program) as process:
        out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    return out


@pytest.mark.parametrize(
    ("script", "code"),
    [("exit 0", 0), ("exit 1", 1), ("exit 255", 255), ("kill -KILL $$", 137), ("kill -TERM $$", 143)],
)
def test_ends_as_the_command_ended(script: str, code: int) -> None:
    with start("sh", "-c", script) as process:
        assert process.wait(20) == code


def test_says_that_a_command_does_not_exist() -> None:
    with start("no-such-command") as process:
        assert "no-such-command: No such file" in process.communicate(timeout=20)[1]
    assert process.returncode == 127


def test_sees_no_process_but_its_own() -> None:
    assert len(output("sh", "-c", "echo /proc/[0-9]*").split()) == 2


@pytest.mark.parametrize("directory", isolate.PRIVATE)
def test_shared_directories_are_new_and_empty(directory: str) -> None:
    if not Path(directory).is_dir():
        pytest.skip(f"there is no {directory} here")
    planted = Path(directory) / "planted"
    planted.touch()
    kept = CHECKOUT.relative_to(directory).parts[:1] if CHECKOUT.is_relative_to(directory) else ()
    assert output("ls", "-A", directory).split() == list(kept)
    output("sh", "-c", f"rm -f {planted}; touch {directory}/other")
    assert planted.exists()
    assert not (Path(directory) / "other").exists()
    planted.unlink()


def test_a_checkout_in_tmp_stays_reachable(tmp_path: Path) -> None:
    program = tmp_path / "tests" / "harness" / "isolate.py"
    program.parent.mkdir(parents=True)
    program.write_text(ISOLATE.read_text())
    assert output("cat", str(program), program=program) == program.read_text()


def test_ports_are_its_own() -> None:
    listen = "import socket,sys; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); print('free')"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert output(sys.executable, "-c", listen, str(taken.getsockname()[1])) == "free\n"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 3), (signal.SIGINT, 4)])
def test_passes_signals_on(number: signal.Signals, code: int) -> None:
    script = "trap 'exit 3' TERM; trap 'exit 4' INT; echo ready; while :; do sleep 0.01; done"
    with start("sh", "-c", script) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.wait(20) == code


def test_no_signal_is_ignored_because_whoever_started_it_ignores_it() -> None:
    script = "trap 'exit 3' HUP; echo ready; while :; do sleep 0.01; done"
    with start("env", "--ignore-signal=HUP", sys.executable, str(ISOLATE), "sh", "-c", script) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGHUP)
        assert process.wait(20) == 3


def test_reaps_orphans() -> None:
    script = (
        "import os, sys; sys.path.insert(0, sys.argv[1]); from tests.harness.wait import until\n"
        "r, w = os.pipe()\n"
        "if os.fork() == 0:\n"
        "    orphan = os.fork()\n"
        "    if orphan: os.write(w, b'%d' % orphan)\n"
        "    os._exit(0)\n"
        "os.wait(); orphan = os.read(r, 9).decode()\n"
        "until(lambda: not os.path.exists('/proc/' + orphan), what='the orphan is reaped')\n"
    )
    output(sys.executable, "-c", script, str(CHECKOUT))


@pytest.mark.parametrize("end", ["exit 5", "wait"])
def test_leaves_nothing_behind_when_the_command_ends_or_is_killed(end: str) -> None:
    """A process that ignores all that it can, in a session of its own."""
    last_argument = str(987_654 + len(end))
    stubborn = f"trap '' TERM INT HUP; echo ready; exec sleep {last_argument} >/dev/null 2>&1"
    with start("sh", "-c", f'setsid sh -c "{stubborn}" & read line; {end}', stdin=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "ready\n"
        until(lambda: running(last_argument), what="the detached process")
        process.stdin.write("\n")
        process.stdin.flush()
        if end == "wait":
            process.kill()
        assert process.wait(20) == (-9 if end == "wait" else 5)
    until(lambda: not running(last_argument), what="the detached process is gone")


def running(argument: str) -> bool:
    """Whether a process runs with this last argument."""
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if process.read_bytes().split(b"\0")[-2:-1] == [argument.encode()]:
                return True
        except OSError:
            continue
    return False


def test_the_mark_alone_is_not_isolation(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isolate.is_isolated()
    monkeypatch.delenv(isolate.MARK)
    assert not isolate.is_isolated()
    forged = "import sys; sys.path.insert(0, sys.argv[1]); from tests.harness import isolate; "
    unshare = ["unshare", "--pid", "--fork", "--mount-proc", "--", sys.executable, "-c"]
    result = subprocess.run(
        [*unshare, forged + "sys.exit(isolate.is_isolated())", str(CHECKOUT)],
        env={**os.environ, isolate.MARK: "1"},
        timeout=20,
        check=False,
    )
    assert result.returncode == 0


def test_until_returns_what_it_waited_for_and_names_what_never_came() -> None:
    values = iter([0, 0, 7])
    assert until(lambda: next(values)) == 7
    with pytest.raises(AssertionError, match=r"waited 0 s for: a packet; last seen: None"):
        until(lambda: None, timeout_s=0, what="a packet")


async def test_until_async_takes_both_kinds_of_conditions() -> None:
    values = iter([0, 7])

    async def condition() -> int:
        return next(values)

    assert await until_async(condition) == 7
    assert await until_async(lambda: "now") == "now"
    with pytest.raises(AssertionError, match="a packet"):
        await until_async(lambda: None, timeout_s=0, what="a packet")
