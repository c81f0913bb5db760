"""The one place that takes secrets out of text: command lines, log lines, errors."""

from __future__ import annotations

import re
from collections.abc import Iterable

HIDDEN = "•••"
_PARAMETER = re.compile(r"(?i)\b(passphrase|password|token|secret)=[^&\s]*")
_OPTION = re.compile(r"(?i)(?<!\S)(--?(?:passphrase|password|token|secret)) +\S+")


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` without the values of secret URI parameters and options, and without any of `secrets`."""
    hidden = _PARAMETER.sub(lambda found: f"{found[1]}={HIDDEN}", text)
    hidden = _OPTION.sub(lambda found: f"{found[1]} {HIDDEN}", hidden)
    for secret in sorted(secrets, key=len, reverse=True):
        if secret:
            hidden = hidden.replace(secret, HIDDEN)
    return hidden
