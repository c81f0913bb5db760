"""Settings: a TOML file, each key also as an environment variable `SRT_ROUTER_<KEY>`."""

from __future__ import annotations

import ipaddress
import os
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
)

from srt_router.errors import SettingsError
from srt_router.processes import crashpoint, tag
from srt_router.processes.ownership import Scope

PREFIX = "SRT_ROUTER_"
_NOT_SETTINGS = {crashpoint.VARIABLE, tag.INSTANCE, tag.ROUTE, tag.PROCESS, tag.SPEC, tag.NONCE}


class OnStart(StrEnum):
    """ON_START."""

    CLEAN = "clean"
    ADOPT = "adopt"


def _absolute(value: object) -> object:
    return Path(value).expanduser().absolute() if isinstance(value, str) and value else value


Folder = Annotated[Path, BeforeValidator(_absolute)]


class Settings(BaseModel):
    """Everything that can be set. The names here, in capitals, are the keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    data_dir: Folder = Field(default_factory=lambda: _default_data_dir())
    """routes.json, gateway.db, backups/."""
    pid_dir: Folder = Path("/tmp/srt-gateway-pids")  # noqa: S108 - the contract's place, checked before use
    run_dir: Folder = Field(default_factory=lambda: _default_run_dir())
    """Statistics and logs of live processes; on tmpfs."""
    log_dir: Folder | None = None
    """The server's own log files; `{DATA_DIR}/logs` unless set."""
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    """0: any free port, printed at the start."""
    admin_password: SecretStr | None = None
    """First start only."""
    cleanup_scope: Scope = Scope.HOST
    on_start: OnStart = OnStart.CLEAN

    health_bandwidth_s: float = Field(default=30.0, gt=0)
    """A connected peer and no data for so many seconds is a stall."""
    health_fps_s: float = Field(default=10.0, gt=0)
    """A transcode that makes no frame for so many seconds is a stall."""
    health_attempts: int = Field(default=3, ge=0)
    """Restarts of what stalls before it is given up."""
    retry_failed_after: float = Field(default=300.0, ge=0)
    """What was given up is tried again after so many seconds; 0: never."""

    @field_validator("host")
    @classmethod
    def _loopback_only(cls, host: str) -> str:
        try:
            loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
        except ValueError:
            loopback = False
        if not loopback:
            raise ValueError("must be a loopback address (127.0.0.1, ::1) until accounts exist")
        return host

    @field_validator("on_start")
    @classmethod
    def _clean_only(cls, value: OnStart) -> OnStart:
        if value is OnStart.ADOPT:
            raise ValueError("adopt is not available in this version: use clean")
        return value

    @property
    def logs(self) -> Path:
        """LOG_DIR, or where it is by default."""
        return self.log_dir or self.data_dir / "logs"


def load_settings(config: Path | None, environment: Mapping[str, str]) -> Settings:
    """Read the file, then the environment, which wins. An empty variable is as good as none.

    Raises SettingsError with one line that names the key.
    """
    values = _from_file(config) if config else {}
    values |= _from_environment(environment)
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        key = str(first["loc"][0]).upper() if first["loc"] else "?"
        if first["type"] == "extra_forbidden":
            raise SettingsError(f"setting {key}: no such setting; there are {', '.join(known_keys())}") from None
        raise SettingsError(f"setting {key}: {_message(first['type'], first['msg'])}") from None


def known_keys() -> list[str]:
    """Every key, in capitals."""
    return [name.upper() for name in Settings.model_fields]


def _message(kind: str, message: str) -> str:
    plain = {"int_parsing": "must be a whole number", "float_parsing": "must be a number"}
    return plain.get(kind, message.removeprefix("Value error, "))


def _from_file(path: Path) -> dict[str, object]:
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"--config {path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"--config {path}: {error}") from error
    return {key.lower(): value for key, value in content.items()}


def _from_environment(environment: Mapping[str, str]) -> dict[str, object]:
    return {
        name.removeprefix(PREFIX).lower(): value
        for name, value in environment.items()
        if name.startswith(PREFIX) and name not in _NOT_SETTINGS and value
    }


def _default_data_dir() -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/srt-router")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "srt-router"


def _default_run_dir() -> Path:
    if os.geteuid() == 0:
        return Path("/run/srt-router")
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        return Path(runtime) / "srt-router"
    return Path(f"/tmp/srt-router-{os.geteuid()}")  # noqa: S108 - itself, not a folder in it, whose parent nobody checks
