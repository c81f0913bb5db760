"""Settings: file, environment, and one line that names what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from srt_router.errors import SettingsError
from srt_router.processes.ownership import Scope
from srt_router.settings import known_keys, load_settings


def test_the_contract_has_these_keys() -> None:
    assert set(known_keys()) == {
        "DATA_DIR",
        "PID_DIR",
        "RUN_DIR",
        "LOG_DIR",
        "LOG_FORMAT",
        "LOG_LEVEL",
        "LOG_FILE_MB",
        "LOG_FILES",
        "HOST",
        "PORT",
        "ADMIN_PASSWORD",
        "ALLOWED_HOSTS",
        "TLS_CERT",
        "TLS_KEY",
        "TRUSTED_PROXIES",
        "CORS_ORIGINS",
        "SESSION_IDLE_S",
        "SESSION_MAX_S",
        "CLEANUP_SCOPE",
        "ON_START",
        "STREAM_MONITOR",
        "THUMBNAILS",
        "THUMBNAIL_CPU_PERCENT",
        "HEALTH_BANDWIDTH_S",
        "HEALTH_FPS_S",
        "HEALTH_ATTEMPTS",
        "RETRY_FAILED_AFTER",
        "WARN_LOSS_PERCENT",
        "WARN_RTT_MS",
        "WARN_CC_ERRORS",
        "WARN_BUS_DROPS",
        "SMTP_HOST",
        "SMTP_PORT",
        "SMTP_SECURITY",
        "SMTP_USER",
        "SMTP_PASSWORD",
        "SMTP_FROM",
    }


def test_defaults() -> None:
    settings = load_settings(None, {})
    assert settings.pid_dir == Path("/tmp/srt-gateway-pids")
    assert (settings.host, settings.port, settings.cleanup_scope) == ("127.0.0.1", 8080, Scope.HOST)
    assert settings.logs == settings.data_dir / "logs"


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('DATA_DIR = "/srv/a"\nPORT = 9000\ncleanup_scope = "owned"\n')
    settings = load_settings(file, {"SRT_ROUTER_PORT": "9001", "OTHER": "1", "SRT_ROUTER_INSTANCE": "a-tag"})
    assert (settings.data_dir, settings.port, settings.cleanup_scope) == (Path("/srv/a"), 9001, Scope.OWNED)


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"SRT_ROUTER_PROT": "1"}, "PROT: no such setting"),
        ({"SRT_ROUTER_PORT": "0x10"}, "PORT"),
        ({"SRT_ROUTER_PORT": "70000"}, "PORT"),
        ({"SRT_ROUTER_CLEANUP_SCOPE": "all"}, "CLEANUP_SCOPE"),
        ({"SRT_ROUTER_HOST": "router.example.com"}, "HOST: must be an IP address"),
        ({"SRT_ROUTER_ALLOWED_HOSTS": "a.example, https://b.example"}, "ALLOWED_HOSTS: 'https://b.example' is no host"),
        ({"SRT_ROUTER_TLS_CERT": "/a.pem"}, "TLS_KEY: TLS_CERT and TLS_KEY are set together"),
        ({"SRT_ROUTER_TLS_KEY": "/a.pem"}, "TLS_KEY: TLS_CERT and TLS_KEY are set together"),
        ({"SRT_ROUTER_TRUSTED_PROXIES": "192.0.2.0/24,proxy"}, "TRUSTED_PROXIES: 'proxy' is no IP address or network"),
        ({"SRT_ROUTER_CORS_ORIGINS": "https://a.example/path"}, "CORS_ORIGINS: 'https://a.example/path' is no origin"),
        ({"SRT_ROUTER_SESSION_IDLE_S": "0"}, "SESSION_IDLE_S"),
        ({"SRT_ROUTER_SMTP_SECURITY": "ssl"}, "SMTP_SECURITY"),
        ({"SRT_ROUTER_SMTP_FROM": "me"}, "SMTP_FROM: must be an e-mail address"),
        ({"SRT_ROUTER_SMTP_PASSWORD": "hush-hush"}, "SMTP_PASSWORD: SMTP_USER and SMTP_PASSWORD are set together"),
        ({"SRT_ROUTER_SMTP_USER": "me"}, "SMTP_PASSWORD: SMTP_USER and SMTP_PASSWORD are set together"),
        ({"SRT_ROUTER_ON_START": "keep"}, "ON_START: "),
    ],
)
def test_a_bad_value_is_named(environment: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(None, environment)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_lists_come_from_both(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('HOST = "::"\nALLOWED_HOSTS = ["a.example", "b"]\nCORS_ORIGINS = ["https://a.example:8443"]\n')
    settings = load_settings(file, {"SRT_ROUTER_TRUSTED_PROXIES": "192.0.2.1, 2001:db8::/32,"})
    assert (settings.host, settings.allowed_hosts) == ("::", ("a.example", "b"))
    assert settings.trusted_proxies == ("192.0.2.1", "2001:db8::/32")
    assert settings.cors_origins == ("https://a.example:8443",)


def test_a_secret_is_not_repeated() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(None, {"SRT_ROUTER_ADMIN_PASSWORD": "my-secret-word", "SRT_ROUTER_PORT": "x"})
    assert "my-secret-word" not in str(caught.value)
    assert "my-secret-word" not in repr(load_settings(None, {"SRT_ROUTER_ADMIN_PASSWORD": "my-secret-word"}))


@pytest.mark.parametrize("text", ["PORT = ", "\xff", 'NO_SUCH = "1"'])
def test_a_broken_file_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(SettingsError):
        load_settings(file, {})
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(tmp_path / "none.toml", {})
