"""Messages of alarms over TLS: taken where the certificate is trusted, never sent where it is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.harness.alarm_receivers import PASSWORD, TOKEN, USER, Certificate, Mailbox, Webhook
from tests.harness.server import Server

Json = dict[str, Any]


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return Certificate(tmp_path)


def outcome_of(server: Server, receiver: Json) -> Json:
    """What the test button says of a new receiver."""
    made = server.api.post("/api/alarms/receivers", json=receiver)
    assert made.status_code == 201, made.text
    answer = server.api.post(f"/api/alarms/receivers/{made.json()['id']}/test")
    assert answer.status_code == 200, answer.text
    outcome: Json = answer.json()
    return outcome


def delivered(outcome: Json) -> bool:
    assert outcome["error"] is None, outcome
    return bool(outcome["delivered"])


def trusting(certificate: Certificate) -> dict[str, str]:
    return {"SSL_CERT_FILE": str(certificate.file)}


def test_a_webhook_over_tls(tmp_path: Path, certificate: Certificate) -> None:
    with Webhook(certificate) as hook:
        receiver = {"type": "webhook", "name": "NOC", "url": hook.url}
        with Server(tmp_path / "server").start(environment=trusting(certificate)) as server:
            assert delivered(outcome_of(server, receiver))
        assert len(hook.bodies) == 1
        with Server(tmp_path / "stranger").start() as server:
            outcome = outcome_of(server, receiver)
        assert outcome["delivered"] is False
        assert "certificate verify failed" in outcome["error"]
        assert TOKEN not in outcome["error"]
        assert len(hook.bodies) == 1


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")  # TLS from the first byte counts as none
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_an_email_over_tls_after_a_sign_in(tmp_path: Path, certificate: Certificate, security: str) -> None:
    receiver = {"type": "email", "name": "Duty", "to": ["noc@example.org"]}
    with Mailbox(security, certificate) as box:
        with Server(tmp_path / "server", **box.settings).start(environment=trusting(certificate)) as server:
            assert delivered(outcome_of(server, receiver))
        assert (box.encrypted, box.users, box.to) == ([True], [USER], [["noc@example.org"]])
        wrong = {**box.settings, "SMTP_PASSWORD": "another-password"}
        with Server(tmp_path / "wrong", **wrong).start(environment=trusting(certificate)) as server:
            outcome = outcome_of(server, receiver)
            assert outcome["delivered"] is False
            assert "does not take it" in outcome["error"]
            assert "another-password" not in outcome["error"] + server.log()
        with Server(tmp_path / "stranger", **box.settings).start() as server:
            outcome = outcome_of(server, receiver)
        assert outcome["delivered"] is False
        assert "certificate verify failed" in outcome["error"]
        assert PASSWORD not in outcome["error"]
        assert len(box.mails) == 1, "nothing is told to who is not trusted"


def test_a_mail_server_without_tls_is_not_spoken_to_where_tls_is_asked(tmp_path: Path) -> None:
    receiver = {"type": "email", "name": "Duty", "to": ["noc@example.org"]}
    with Mailbox() as box:
        asked = {**box.settings, "SMTP_SECURITY": "starttls"}
        with Server(tmp_path, **asked) as server:
            outcome = outcome_of(server, receiver)
        assert outcome["delivered"] is False
        assert "STARTTLS" in outcome["error"]
        assert box.mails == []
