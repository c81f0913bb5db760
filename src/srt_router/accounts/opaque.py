"""Opaque secrets: random, recognisable by their first letters, kept as SHA-256 only."""

from __future__ import annotations

import hashlib
import secrets

SESSION = "srs_"
TOKEN = "srt_"  # noqa: S105 - what a token begins with
LOCAL = "srl_"
_BYTES = 32
_PASSWORD_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"  # noqa: S105 - nothing that is mistaken for another letter


def new_secret(prefix: str) -> str:
    """256 random bits, with what it is in front: scanners for leaked secrets know it by that."""
    return prefix + secrets.token_urlsafe(_BYTES)


def digest(secret: str) -> bytes:
    """What is kept of a secret. It has 256 random bits, so a fast hash is enough."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def new_id() -> str:
    """An id that tells nothing and may be shown."""
    return secrets.token_hex(8)


def new_password() -> str:
    """A password to be read and typed: 100 random bits, in groups of five letters."""
    return "-".join("".join(secrets.choice(_PASSWORD_LETTERS) for _ in range(5)) for _ in range(4))
