"""How children ended between two programs of the server is known, also of those that were dying just then."""

from __future__ import annotations

import subprocess
import sys

import pytest

from srt_router.processes import proc, survivors
from srt_router.processes.child import Exit
from tests.harness.wait import until

LEADER_GONE = """
import ctypes, os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(7))).start()
ctypes.CDLL(None).pthread_exit(None)
"""
"""Its first thread has ended, and with it what /proc shows of its memory; the process has not."""


def test_one_that_is_dying_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen([sys.executable, "-c", LEADER_GONE], stdin=subprocess.PIPE) as child:
        assert child.stdin is not None
        until(lambda: (stat := proc.stat(child.pid)) and stat.dead)
        monkeypatch.setattr("srt_router.processes.survivors.time.sleep", lambda _: child.stdin.close())
        assert survivors.reap([child.pid], []) == {child.pid: Exit(7, None)}
        child.returncode = 7  # there is nothing left to wait for


def test_one_that_lives_is_not() -> None:
    with subprocess.Popen(["sleep", "86400"]) as child:
        until(lambda: proc.read(f"/proc/{child.pid}/environ", 1))
        assert survivors.reap([child.pid], []) == {}
        child.kill()
