"""An end of a route written as a URI, as people type it: `srt://192.0.2.7:7000?mode=caller&latency=200`."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from srt_router.routes.errors import FieldError, RouteInvalid
from srt_router.routes.merging import Json

_WORDS = {"true": True, "false": False}
_TEXT = frozenset({"name", "passphrase", "streamId", "adapter", "interface", "sourceAddress", "id", "minversion"})
"""Fields that stay text, whatever they look like."""


def end_from_uri(text: str) -> Json:
    """Return the JSON of an end; its fields are not judged here. Raises RouteInvalid.

    Parameters have the names of routes.json. Without `mode`, an SRT URI with a host is a caller, one without
    is a listener.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise RouteInvalid([FieldError((), f"{text.partition('?')[0]} is not a URI: {error}")]) from None
    if parts.scheme not in ("srt", "udp") or port is None or parts.path not in ("", "/"):
        shown = text.partition("?")[0]
        raise RouteInvalid([FieldError((), f"{shown} is not a URI like srt://:4082 or udp://239.10.0.1:5000?ttl=8")])
    end: Json = {"type": parts.scheme}
    if parts.scheme == "srt":
        end["mode"] = "caller" if parts.hostname else "listener"
    if parts.hostname:
        end["host"] = parts.hostname
    end["port"] = port
    end |= {name: _value(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True)}
    return end


def _value(name: str, text: str) -> object:
    if name in _TEXT:
        return text
    if text in _WORDS:
        return _WORDS[text]
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
    return int(sign + digits) if digits.isascii() and digits.isdigit() and len(digits) < 20 else text
