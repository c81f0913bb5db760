"""How a message leaves this machine: by HTTP or by SMTP, within some seconds, or not at all."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import importlib
import json
import logging
import ssl
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from urllib.parse import urlsplit

from srt_router import __version__
from srt_router.alarms.errors import DeliveryFailed
from srt_router.alarms.message import email, host_name
from srt_router.alarms.model import Email, Receiver, Webhook
from srt_router.alarms.names import Names
from srt_router.alarms.records import Message
from srt_router.redaction import redact

TIMEOUT_S = 10.0
"""One try takes no longer, whatever the receiver does."""
SIGNATURE = "X-SRT-Router-Signature"

logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs every URL, and the path may hold a token


class SmtpSecurity(StrEnum):
    """SMTP_SECURITY."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


@dataclass(frozen=True, slots=True)
class MailServer:
    """The SMTP server that takes our e-mails."""

    host: str
    port: int
    security: SmtpSecurity
    sender: str
    user: str | None = None
    password: str | None = None


class Transport(Protocol):
    """Sends one message once."""

    async def send(self, receiver: Receiver, message: Message) -> None:
        """Return when the receiver has taken it. Raises DeliveryFailed, after TIMEOUT_S at the latest."""
        ...


class RealTransport:
    """Over the network."""

    def __init__(self, mail_server: MailServer | None) -> None:
        self._mail_server = mail_server
        self._tls: ssl.SSLContext | None = None
        self._names = Names()

    async def send(self, receiver: Receiver, message: Message) -> None:
        """Return when the receiver has taken it. Raises DeliveryFailed, after TIMEOUT_S at the latest."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                if isinstance(receiver, Webhook):
                    await self._post(receiver, message)
                else:
                    await self._mail(receiver, message)
        except TimeoutError:
            raise DeliveryFailed(f"{self._where(receiver)} does not answer within {TIMEOUT_S:g} s") from None

    def _where(self, receiver: Receiver) -> str:
        server = self._mail_server
        if isinstance(receiver, Email):
            return f"the SMTP server {server.host}:{server.port}" if server else "the SMTP server"
        return receiver.where

    async def _context(self) -> ssl.SSLContext:
        """The certificates that this machine trusts, read once, in a thread, and httpx loaded with them: most
        servers never send anything, and all should start fast."""
        if self._tls is None:
            self._tls = await asyncio.to_thread(_trusted)
        return self._tls

    async def _post(self, receiver: Webhook, message: Message) -> None:
        content = json.dumps(message.body).encode()
        headers = {"Content-Type": "application/json", "User-Agent": f"SRT-Router/{__version__}"}
        if receiver.secret is not None:
            headers[SIGNATURE] = signature(receiver.secret.get_secret_value(), content)
        await self._names.ask(urlsplit(receiver.url).hostname or "")
        context = await self._context()
        import httpx  # it is there by now

        try:
            async with (  # a new connection each time: alarms are rare, and one that is kept goes stale
                httpx.AsyncClient(verify=context, timeout=TIMEOUT_S) as client,  # follows no redirects
                client.stream("POST", receiver.url, content=content, headers=headers) as answer,
            ):
                status = answer.status_code  # what else it says may be endless
        except httpx.TimeoutException:
            raise TimeoutError from None
        except httpx.RemoteProtocolError:  # its words quote what was answered, which may be anything of anybody
            raise DeliveryFailed(f"{receiver.where} cannot be reached: what answers there speaks no HTTP") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            why = redact(str(error) or type(error).__name__, receiver.secrets())
            raise DeliveryFailed(f"{receiver.where} cannot be reached: {why}") from None
        if 300 <= status < 400:
            raise DeliveryFailed(f"{receiver.where} answers {status}: redirects are not followed, set the final URL")
        if not 200 <= status < 300:
            raise DeliveryFailed(f"{receiver.where} answers {status}")

    async def _mail(self, receiver: Email, message: Message) -> None:
        server = self._mail_server
        if server is None:
            raise DeliveryFailed("SMTP_HOST is not set: e-mails cannot be sent. Set it and start the server again")
        await self._names.ask(server.host)
        secure = server.security is not SmtpSecurity.NONE
        await asyncio.to_thread(importlib.import_module, "aiosmtplib")
        import aiosmtplib  # it is there by now, as httpx

        try:
            refused, _ = await aiosmtplib.send(
                email(message, server.sender, receiver.to),
                hostname=server.host,
                port=server.port,
                username=server.user,
                password=server.password,
                use_tls=server.security is SmtpSecurity.TLS,
                start_tls=server.security is SmtpSecurity.STARTTLS,
                tls_context=await self._context() if secure else None,
                local_hostname=host_name(),
                timeout=TIMEOUT_S,
            )
        except aiosmtplib.SMTPTimeoutError:
            raise TimeoutError from None
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            secrets = [server.password] if server.password else []
            why = redact(str(error) or type(error).__name__, secrets)
            raise DeliveryFailed(f"{self._where(receiver)} does not take it: {why}") from None
        if refused:  # the others have it: sent again, they would get it twice
            logging.getLogger("Alarms").warning(
                "Receiver %s: the SMTP server refuses %s", receiver.name, ", ".join(refused)
            )


def _trusted() -> ssl.SSLContext:
    """What this machine trusts. Makes a client, too: the first one loads modules for a tenth of a second."""
    import httpx

    context = ssl.create_default_context()
    httpx.AsyncClient(verify=context)
    return context


def signature(secret: str, content: bytes) -> str:
    """What the receiver can check: nobody else can have sent this body."""
    return "sha256=" + hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()
