"""The machine: processes, events, presets, what can be measured and what is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal
from urllib.parse import quote

from srt_router.client import answers
from srt_router.client.connection import Connection, problem_of
from srt_router.client.errors import NoAnswer

_UNAVAILABLE = 503
_PRESETS = "/api/presets"


class Machine:
    """Everything that is about no route alone. Every method raises ApiProblem and NoAnswer."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def health(self) -> answers.Health:
        """Can the server do its work? Answered without a sign-in, and also where it cannot. Asked once."""
        answer = self._connection.ask("GET", "/api/health")
        if answer.status_code not in (200, _UNAVAILABLE) or "problems" not in answer.text:
            raise problem_of(answer.status_code, answer.headers, answer.content, self._connection.url)
        try:
            found: answers.Health = answer.json()
        except ValueError as error:
            raise NoAnswer(f"{self._connection.url} does not answer as a SRT Router does") from error
        return found

    def metrics(self) -> str:
        """Everything that can be measured, as Prometheus reads it."""
        return self._connection.read("/metrics").text

    def processes(self) -> list[answers.ProcessItem]:
        """Every media process of the host."""
        found: answers.ProcessList = self._connection.get("/api/processes")
        return found["items"]

    def orphans(self) -> list[answers.OrphanItem]:
        """Orphans, and what a cleanup would do with each."""
        found: answers.OrphanList = self._connection.get("/api/orphans")
        return found["items"]

    def cleanup(self) -> answers.CleanupView:
        """End every orphan now; when it returns, they are dead. Routes on air are not touched."""
        done: answers.CleanupView = self._connection.change("POST", "/api/cleanup", patient=True)
        return done

    def doctor(self) -> answers.Diagnosis:
        """What is wrong with the machine or the installation."""
        found: answers.Diagnosis = self._connection.get("/api/doctor")
        return found

    def engine(self) -> answers.EngineView:
        """Versions, and which hardware encoders work."""
        found: answers.EngineView = self._connection.get("/api/engine")
        return found

    def settings(self) -> list[answers.SettingView]:
        """The settings that count."""
        found: answers.SettingList = self._connection.get("/api/settings")
        return found["items"]

    def log_level(self) -> answers.LogLevel:
        """The least important lines that are logged."""
        found: answers.LogLevelBody = self._connection.get("/api/log-level")
        return found["level"]

    def set_log_level(self, level: answers.LogLevel) -> None:
        """Log more, or less, until the end of the server."""
        self._connection.change("PUT", "/api/log-level", {"level": level})

    def interfaces(self) -> list[answers.Interface]:
        """Network interfaces and their addresses."""
        found: answers.InterfaceList = self._connection.get("/api/interfaces")
        return found["items"]

    def presets(self) -> list[answers.Preset]:
        """Transcodes to begin with: those that are built in, and the operator's own."""
        found: answers.PresetList = self._connection.get(_PRESETS)
        return found["items"]

    def add_preset(self, preset: Mapping[str, object]) -> answers.Preset:
        """Make a preset of one's own: `name`, `description`, `transcode`."""
        done: answers.Preset = self._connection.change("POST", _PRESETS, preset)
        return done

    def replace_preset(self, preset_id: str, preset: Mapping[str, object]) -> answers.Preset:
        """Change all of a preset; routes that were made with it stay as they are."""
        done: answers.Preset = self._connection.change("PUT", f"{_PRESETS}/{quote(preset_id, safe='')}", preset)
        return done

    def delete_preset(self, preset_id: str) -> None:
        """Remove a preset; routes that were made with it stay as they are."""
        self._connection.change("DELETE", f"{_PRESETS}/{quote(preset_id, safe='')}")

    def free_ports(
        self, *, protocol: Literal["srt", "udp"] = "srt", count: int = 1, first: int | None = None
    ) -> list[int]:
        """Ports for a new listener or destination: suggestions, nothing is reserved."""
        query = {"protocol": protocol, "count": count, "first": first}
        found: answers.FreePorts = self._connection.get("/api/ports/free", query)
        return found["ports"]

    def events(
        self,
        *,
        route: str | None = None,
        kind: list[str] | None = None,
        since: int | None = None,
        until: int | None = None,
        text: str | None = None,
    ) -> Iterator[answers.Event]:
        """What happened, newest first, page after page as they are needed. Times: milliseconds since the epoch."""
        query = {"route": route, "kind": kind, "since": since, "until": until, "text": text}
        cursor: str | None = None
        while True:
            page: answers.EventList = self._connection.get("/api/events", {**query, "cursor": cursor})
            yield from page["items"]
            cursor = page["nextCursor"]
            if cursor is None:
                return
