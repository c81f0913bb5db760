"""The one place that takes secrets out of text: command lines, log lines, errors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

HIDDEN = "•••"
_PARAMETER = re.compile(r"(?i)\b(passphrase|password|token|secret)=[^&\s]*")
_OPTION = re.compile(r"(?i)(?<!\S)(--?(?:passphrase|password|token|secret)) +\S+")
_SUSPECT = re.compile(r"(?i)passphrase|password|token|secret")
"""What neither of the two above is found without: most text is let through after one look."""
_SECRET_FIELD = re.compile(r"(?i)(passphrase|password|token|secret|hash)$")


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` without the values of secret URI parameters and options, and without any of `secrets`."""
    hidden = text
    if _SUSPECT.search(text):
        hidden = _PARAMETER.sub(lambda found: f"{found[1]}={HIDDEN}", hidden)
        hidden = _OPTION.sub(lambda found: f"{found[1]} {HIDDEN}", hidden)
    for secret in sorted(secrets, key=len, reverse=True):
        if secret:
            hidden = hidden.replace(secret, HIDDEN)
    return hidden


def redact_data(value: object) -> object:
    """Plain data (as JSON knows it) without the values of secret fields, however deep, and without secrets in text.

    A secret that is not there stays visible as null: that one was set or taken away may be seen.
    """
    match value:
        case None | bool() | int() | float():
            return value
        case Mapping():
            return {str(key): _redact_field(str(key), one) for key, one in value.items()}
        case list() | tuple() | set() | frozenset():
            return [redact_data(one) for one in value]
    return redact(str(value))


def _redact_field(name: str, value: object) -> object:
    if _SECRET_FIELD.search(name) and value is not None and not isinstance(value, bool):
        return HIDDEN
    return redact_data(value)
