"""The certificate of the HTTP server: checked before the start, taken over anew when its files change."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import ssl
from dataclasses import dataclass
from pathlib import Path

from srt_router.errors import SettingsError
from srt_router.settings import Settings

log = logging.getLogger("Api")

_LOOK_S = 5.0
Stamp = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Certificate:
    """Two files in PEM."""

    cert: Path
    key: Path

    def check(self) -> None:
        """Raises OSError (ssl.SSLError is one) where they cannot be used together."""
        self.into(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))

    def into(self, context: ssl.SSLContext) -> None:
        """Use it for connections that begin from now on. Raises OSError."""
        context.load_cert_chain(self.cert, self.key, password="")  # else the terminal would be asked for one

    def stamp(self) -> Stamp:
        """Differs when a file was replaced or written. Raises OSError."""
        found = [os.stat(path) for path in (self.cert, self.key)]  # noqa: PTH116 - as other stats here
        return tuple((one.st_ino, one.st_mtime_ns, one.st_size) for one in found)


def certificate(settings: Settings) -> Certificate | None:
    """The configured one, checked; None: no TLS. Raises SettingsError."""
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    found = Certificate(settings.tls_cert, settings.tls_key)
    try:
        found.check()
    except OSError as error:
        why = error.strerror or str(error)
        raise SettingsError(
            f"setting TLS_CERT: {found.cert} and {found.key} cannot be used: {why}: "
            "both must be PEM, the key without a password and of this certificate"
        ) from error
    return found


async def follow(found: Certificate, context: ssl.SSLContext) -> None:
    """Take changed files over, until cancelled. Connections stay; a pair that does not fit changes nothing."""
    known = await asyncio.to_thread(_stamp, found)
    while True:
        await asyncio.sleep(_LOOK_S)
        stamp = await asyncio.to_thread(_stamp, found)
        if stamp is None or stamp == known:
            continue
        known = stamp
        try:
            await asyncio.to_thread(found.check)
            found.into(context)
        except OSError as error:
            message = "%s has changed and cannot be used (%s): the old certificate stays"
            log.error(message, found.cert, error)  # noqa: TRY400 - says all there is
        else:
            log.info("The certificate in %s was taken over", found.cert)


def _stamp(found: Certificate) -> Stamp | None:
    with contextlib.suppress(OSError):
        return found.stamp()
    return None
