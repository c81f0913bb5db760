"""Settings: a TOML file, each key also as an environment variable `SRT_ROUTER_<KEY>`."""

from __future__ import annotations

import ipaddress
import os
import re
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
    ValidationInfo,
    field_validator,
)

from srt_router.errors import SettingsError
from srt_router.log_setup import LogFormat, LogLevel, LogSettings
from srt_router.processes import crashpoint, successor, tag
from srt_router.processes.ownership import Scope

PREFIX = "SRT_ROUTER_"
CONFIG = PREFIX + "CONFIG"
"""The environment variable that names the file of settings where `--config` does not."""
_OF_THE_TAG = {tag.INSTANCE, tag.ROUTE, tag.PROCESS, tag.SPEC, tag.NONCE, tag.BUSES}
_NOT_SETTINGS = {CONFIG, crashpoint.VARIABLE, successor.HANDED_OVER, successor.TRIAL, *_OF_THE_TAG}


class OnStart(StrEnum):
    """ON_START: what becomes of processes that an earlier server has left alive."""

    CLEAN = "clean"
    """All are ended, and routes start anew."""
    ADOPT = "adopt"
    """Those that are what the routes demand stay on air, untouched; the others are ended."""


def _absolute(value: object) -> object:
    return Path(value).expanduser().absolute() if isinstance(value, str) and value else value


def _listed(value: object) -> object:
    """A list, or words between commas as in the environment."""
    return tuple(word for part in value.split(",") if (word := part.strip())) if isinstance(value, str) else value


Folder = Annotated[Path, BeforeValidator(_absolute)]
Words = Annotated[tuple[str, ...], BeforeValidator(_listed)]

_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")
_MAILBOX = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,255}")
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\[\]:-]+")


class SmtpSecurity(StrEnum):
    """SMTP_SECURITY."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


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
    log_format: LogFormat = LogFormat.TEXT
    """How log lines are written, on standard output and in files."""
    log_level: LogLevel = LogLevel.INFO
    """The least important lines that are logged, until somebody changes it while the server runs."""
    log_file_mb: int = Field(default=100, ge=1, le=10_000)
    """A log file of so many MB (10⁶ bytes) is compressed, and a new one begun."""
    log_files: int = Field(default=100, ge=1, le=10_000)
    """So many compressed log files are kept."""
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    """0: any free port, printed at the start."""
    admin_password: SecretStr | None = None
    """First start only."""
    allowed_hosts: Words = Field(default_factory=tuple)
    """Names, besides addresses, `localhost` and the machine's own, by which the server may be called."""
    tls_cert: Folder | None = None
    """Certificate (chain) of the HTTP server, PEM; with `tls_key`."""
    tls_key: Folder | None = None
    trusted_proxies: Words = Field(default_factory=tuple)
    """Addresses and networks of reverse proxies whose word about the client counts."""
    cors_origins: Words = Field(default_factory=tuple)
    """Other sites whose pages may call the API, with a token."""
    session_idle_s: float = Field(default=43200.0, gt=0)
    """A sign-in that is not used for so many seconds ends."""
    session_max_s: float = Field(default=604800.0, gt=0)
    """A sign-in ends after so many seconds, however much it is used."""
    cleanup_scope: Scope = Scope.HOST
    on_start: OnStart = OnStart.CLEAN

    stream_monitor: bool = True
    """Look into the transport streams, in one more process."""
    thumbnails: bool = True
    """Make small pictures of what is on air, while somebody looks at them; needs `stream_monitor`."""
    thumbnail_cpu_percent: float = Field(default=10.0, gt=0, le=100)
    """Of one core, for all thumbnails together."""

    health_bandwidth_s: float = Field(default=30.0, gt=0)
    """A connected peer and no data for so many seconds is a stall."""
    health_fps_s: float = Field(default=10.0, gt=0)
    """A transcode that makes no frame for so many seconds is a stall."""
    health_attempts: int = Field(default=3, ge=0)
    """Restarts of what stalls before it is given up."""
    retry_failed_after: float = Field(default=300.0, ge=0)
    """What was given up is tried again after so many seconds; 0: never."""
    warn_loss_percent: float = Field(default=2.0, ge=0, le=100)
    """Lost packets, of all, from which on there is a warning; 0: never."""
    warn_rtt_ms: float = Field(default=500.0, ge=0)
    """Round-trip time from which on there is a warning; 0: never."""
    warn_cc_errors: float = Field(default=1.0, ge=0)
    """Continuity errors within 10 s from which on there is a warning; 0: never."""
    warn_bus_drops: float = Field(default=1.0, ge=0)
    """Datagrams dropped on a bus within 10 s from which on there is a warning; 0: never."""

    smtp_host: str | None = None
    """The server that takes the e-mails of alarms; None: there are none."""
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_security: SmtpSecurity = SmtpSecurity.STARTTLS
    smtp_user: str | None = None
    """With `smtp_password`; None: without a sign-in."""
    smtp_password: SecretStr | None = None
    smtp_from: str | None = None
    """Whom the e-mails are from; `srt-router@` and the name of the machine unless set."""

    @field_validator("host")
    @classmethod
    def _address(cls, host: str) -> str:
        try:
            if host != "localhost":
                ipaddress.ip_address(host)
        except ValueError:
            raise ValueError("must be an IP address (0.0.0.0 and :: are all addresses of this machine)") from None
        return host

    @field_validator("allowed_hosts")
    @classmethod
    def _names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [name for name in names if not _HOST_NAME.fullmatch(name)]:
            raise ValueError(f"{wrong[0][:100]!r} is no host name: give names alone, without scheme and port")
        return names

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for one in networks:
            try:
                ipaddress.ip_network(one, strict=False)
            except ValueError:
                raise ValueError(f"{one[:100]!r} is no IP address or network such as 192.0.2.0/24") from None
        return networks

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [origin for origin in origins if not _ORIGIN.fullmatch(origin)]:
            raise ValueError(f"{wrong[0][:100]!r} is no origin such as https://noc.example.com, without a path")
        return origins

    @field_validator("tls_key")
    @classmethod
    def _both(cls, key: Path | None, info: ValidationInfo) -> Path | None:
        if (key is None) != (info.data.get("tls_cert") is None):
            raise ValueError("TLS_CERT and TLS_KEY are set together or not at all")
        return key

    @field_validator("smtp_from")
    @classmethod
    def _mailbox(cls, address: str | None) -> str | None:
        if address is not None and not _MAILBOX.fullmatch(address):
            raise ValueError("must be an e-mail address like srt-router@example.org")
        return address

    @field_validator("smtp_password")
    @classmethod
    def _with_user(cls, password: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if (password is None) != (info.data.get("smtp_user") is None):
            raise ValueError("SMTP_USER and SMTP_PASSWORD are set together or not at all")
        return password

    @property
    def thumbnail_share(self) -> float | None:
        """Of one core, for making thumbnails; None: none are made."""
        return self.thumbnail_cpu_percent / 100 if self.thumbnails else None

    @property
    def log(self) -> LogSettings:
        """What is logged, and how much of it is kept."""
        return LogSettings(self.log_format, self.log_level, self.log_file_mb * 1_000_000, self.log_files)

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
