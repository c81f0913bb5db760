"""Tool processes as tests hold them: start, wait for what they report, stop by handle."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

_ROOT = Path(__file__).resolve().parents[2]
_WAIT_S = 15.0
_STOP_S = 5.0

Event = dict[str, object]


class Tool:
    """A tool running as a process of its own, so that neither its CPU nor its GIL disturbs the test."""

    def __init__(self, module: str, *arguments: str) -> None:
        self.events: list[Event] = []
        self._changed = threading.Condition()
        self._ended = False
        self._argv = [sys.executable, "-m", f"tests.media.{module}", *arguments]
        self._process = subprocess.Popen(
            self._argv, cwd=_ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The process's PID."""
        return self._process.pid

    def wait_event(self, name: str, timeout_s: float = _WAIT_S, *, number: int = 1) -> Event:
        """Wait until the tool has reported `name` that many times; return the last of them."""
        self._wait(lambda: len(self.all_events(name)) >= number, f"{number} x {name}", timeout_s)
        return self.all_events(name)[number - 1]

    def wait_connected(self, timeout_s: float = _WAIT_S, *, number: int = 1) -> Event:
        """Wait for the first connection, or for the `number`th."""
        return self.wait_event("connected", timeout_s, number=number)

    def wait_bytes(self, least: int = 1, timeout_s: float = _WAIT_S) -> int:
        """Wait until that many bytes were sent or received; return how many it were by then."""
        self._wait(lambda: self.bytes >= least, f"{least} bytes", timeout_s)
        return self.bytes

    def wait_end(self, timeout_s: float = _WAIT_S) -> int:
        """Wait until the tool ends by itself; return its exit status."""
        status = self._process.wait(timeout_s)
        self._collect()
        return status

    def stop(self) -> Event:
        """End the tool if it still runs; return its last report (`closed`), empty if there was none."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._collect()
        return (self.all_events("closed") or [{}])[-1]

    def all_events(self, name: str) -> list[Event]:
        """Return all events of that name so far."""
        return [event for event in list(self.events) if event["event"] == name]

    @property
    def bytes(self) -> int:
        """Bytes sent or received, as last reported."""
        numbers = [number for event in list(self.events) if isinstance(number := event.get("bytes"), int)]
        return numbers[-1] if numbers else 0

    def _wait(self, condition: Callable[[], bool], what: str, timeout_s: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: condition() or self._ended, timeout_s)
            if not condition():
                state = "ended" if self._ended else f"did not in {timeout_s:g} s"
                last = self.events[-5:]
                raise AssertionError(f"waited for {what}, but {self} {state}; last events: {last}")

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            event = json.loads(line)
            with self._changed:
                self.events.append(event)
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _collect(self) -> None:
        self._reader.join()
        if self._process.stdout:
            self._process.stdout.close()

    def __str__(self) -> str:
        return f"{self._argv[2]} (PID {self.pid})"
