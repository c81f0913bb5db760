"""packaging/srt-router.toml is the reference that stands in /etc: every key, each with its true default."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from srt_router.settings import Settings, known_keys, load_settings

EXAMPLE = Path(__file__).resolve().parents[2] / "packaging" / "srt-router.toml"
TEXT = EXAMPLE.read_text("utf-8")
OWN = {"DATA_DIR", "RUN_DIR", "LOG_DIR"}
"""Set for the user of the service, whose defaults would be in a home."""
FOR_EXAMPLE = {"TLS_CERT", "TLS_KEY", "ADMIN_PASSWORD", "SMTP_HOST", "SMTP_FROM", "SMTP_USER", "SMTP_PASSWORD"}
"""Without a default: what stands there shows the form."""
COMMENTED = dict(re.findall(r"^# ([A-Z_0-9]+) = (.+)$", TEXT, re.MULTILINE))


def test_every_key_is_there_once() -> None:
    assert sorted([*COMMENTED, *OWN]) == sorted(known_keys())
    assert set(tomllib.loads(TEXT)) == OWN


@pytest.mark.parametrize("key", sorted(set(known_keys()) - OWN - FOR_EXAMPLE))
def test_what_is_shown_is_the_default(key: str) -> None:
    shown = Settings.model_validate({key.lower(): tomllib.loads(f"X = {COMMENTED[key]}")["X"]})
    assert getattr(shown, key.lower()) == getattr(Settings(), key.lower())


def test_with_every_line_it_is_valid(tmp_path: Path) -> None:
    file = tmp_path / "srt-router.toml"
    file.write_text(re.sub(r"^# (?=[A-Z_0-9]+ = )", "", TEXT, flags=re.MULTILINE))
    assert load_settings(file, {}).smtp_user == "router"
    assert set(tomllib.loads(file.read_text())) == set(known_keys())
