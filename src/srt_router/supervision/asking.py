"""Asking a server on this machine, as its own commands do."""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

_LOOK_S = 2.0
_CHANGE_S = 20.0
"""How long an answer is waited for."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server answers, and how we sign in there."""

    url: str
    token: str | None = field(default=None, repr=False)
    """None where we may not read it."""
    certificate: Path | None = None
    """The file with what it shows of itself where it speaks TLS."""


def ask(
    where: Address, path: str, method: str = "GET", body: object = None, patience_s: float | None = None
) -> tuple[int, object]:
    """What a server answers in JSON: status and content, None where it has none. Raises OSError when none answers."""
    headers = {"Content-Type": "application/json"}
    if where.token:
        headers["Authorization"] = f"Bearer {where.token}"
    connection = _connection(where, patience_s or (_LOOK_S if method == "GET" else _CHANGE_S))
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text else None
    except (http.client.HTTPException, ValueError) as error:
        raise OSError(f"{where.url} does not answer as a SRT Router does") from error
    finally:
        connection.close()


def _connection(where: Address, patience_s: float) -> http.client.HTTPConnection:
    parts = urlsplit(where.url)
    host = parts.hostname or "127.0.0.1"
    if parts.scheme != "https":
        return http.client.HTTPConnection(host, parts.port or 80, timeout=patience_s)
    context = _trusting(where.certificate)
    return http.client.HTTPSConnection(host, parts.port or 443, timeout=patience_s, context=context)


def _trusting(certificate: Path | None) -> ssl.SSLContext:
    """Only the very certificate that is configured, whatever name stands in it and whoever signed it."""
    context = ssl.create_default_context(cafile=str(certificate) if certificate else None)
    context.check_hostname = certificate is None
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context
