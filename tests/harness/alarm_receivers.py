"""Who takes the messages of alarms: a web server and an SMTP server, with and without TLS."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import threading
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

Json = dict[str, Any]
TOKEN = "T0KEN-in-the-path"
USER, PASSWORD = "router", "mail-server-password"


def free_port() -> int:
    """A TCP port of loopback that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Certificate:
    """A certificate for 127.0.0.1 that nobody trusts who is not given its file."""

    def __init__(self, folder: Path) -> None:
        self.file, key = folder / "receiver.pem", folder / "receiver.key"
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=receiver"
        names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(self.file)]
        subprocess.run([*command.split(), *names], check=True, capture_output=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.file, key)


class Webhook:
    """A web server that keeps what it is told. `answers` are its next status codes; then 204. It can hang."""

    def __init__(self, certificate: Certificate | None = None) -> None:
        self.bodies: list[Json] = []
        self.headers: list[dict[str, str]] = []
        self.raw: list[bytes] = []
        self.answers: list[int] = []
        self.tries = 0
        self.hanging = threading.Event()
        self.released = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.tries += 1
                content = self.rfile.read(int(self.headers["Content-Length"]))
                if outer.hanging.is_set():
                    outer.released.wait(60)
                    return
                status = outer.answers.pop(0) if outer.answers else 204
                if status == 204:
                    outer.raw.append(content)
                    outer.headers.append(dict(self.headers))
                    outer.bodies.append(json.loads(content))
                self.send_response(status)
                self.send_header("Location", "http://127.0.0.1:1/elsewhere")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if certificate:
            self._server.socket = certificate.context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        scheme = "https" if certificate else "http"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_port}/{TOKEN}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def types(self) -> list[str]:
        return [body["type"] for body in self.bodies]


class Mailbox:
    """A real SMTP server, and what it has taken. `security` as SMTP_SECURITY; with TLS it wants a sign-in, too."""

    def __init__(self, security: str = "none", certificate: Certificate | None = None) -> None:
        self.mails: list[Message] = []
        self.to: list[list[str]] = []
        self.encrypted: list[bool] = []
        self.users: list[str] = []
        more: Json = {}
        if certificate is not None:
            more = {"auth_required": True, "authenticator": self._sign_in}
            more |= {"auth_require_tls": False} if security == "tls" else {"require_starttls": True}
            more["ssl_context" if security == "tls" else "tls_context"] = certificate.context
        self._controller = Controller(self, hostname="127.0.0.1", port=free_port(), **more)
        self.settings = {
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(self._controller.port),
            "SMTP_SECURITY": security,
            "SMTP_FROM": "srt-router@example.org",
        }
        if certificate is not None:
            self.settings |= {"SMTP_USER": USER, "SMTP_PASSWORD": PASSWORD}

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._controller.stop()

    def _sign_in(self, _server: SMTP, _session: Session, _envelope: Envelope, _how: str, data: Any) -> AuthResult:
        known = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        if known:
            self.users.append(data.login.decode())
        return AuthResult(success=known, handled=False)  # the server answers

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        assert isinstance(envelope.content, bytes)
        assert server.transport is not None
        self.encrypted.append(server.transport.get_extra_info("sslcontext") is not None)
        self.mails.append(message_from_bytes(envelope.content))
        self.to.append(envelope.rcpt_tos)
        return "250 OK"
