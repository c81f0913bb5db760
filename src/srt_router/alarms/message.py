"""What a receiver is told: one JSON object for webhooks, and the same in words for people. docs/alarms.md has it."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from pydantic import TypeAdapter

from srt_router import __version__
from srt_router.alarms.records import Alarm, Json, Message, MessageType

_ALARM = TypeAdapter(Alarm)
_FOR_RECEIVERS = (
    "id",
    "ruleId",
    "rule",
    "kind",
    "severity",
    "routeId",
    "routeName",
    "message",
    "raisedAt",
    "clearedAt",
    "clearedBecause",
    "clearedMessage",
)


def host_name() -> str:
    """Which server this is, as its machine calls itself. Asks nobody else."""
    return socket.gethostname()


def body(message_id: str, about: MessageType, now_ms: int, alarm: Alarm | None) -> Json:
    """The body of a webhook."""
    told: Json | None = None
    if alarm is not None:
        whole = _ALARM.dump_python(alarm, mode="json", by_alias=True)
        told = {name: whole[name] for name in _FOR_RECEIVERS}
    return {
        "version": 1,
        "id": message_id,
        "type": str(about),
        "at": now_ms,
        "server": host_name(),
        "text": sentence(about, alarm),
        "alarm": told,
    }


def sentence(about: MessageType, alarm: Alarm | None) -> str:
    """All of it in one line, for a chat or a subject."""
    if alarm is None:
        return "Test: messages of SRT Router reach you"
    route = f"{alarm.route_name}: " if alarm.route_name else ""
    if about is MessageType.CLEARED:
        return _line(f"Over: {alarm.rule}: {route}{alarm.cleared_message or alarm.message}")
    return _line(f"{alarm.severity.capitalize()}: {alarm.rule}: {route}{alarm.message}")


def email(message: Message, sender: str, to: tuple[str, ...]) -> EmailMessage:
    """The same as an e-mail. Sent again it has the same Message-ID."""
    data = message.body
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender
    mail["To"] = ", ".join(to)
    mail["Subject"] = _line(f"[SRT Router {data['server']}] {data['text']}")[:250]
    mail["Date"] = format_datetime(_utc(data["at"]))
    mail["Message-ID"] = f"<{message.id}.{message.receiver_id}@srt-router.invalid>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Mailer"] = f"SRT Router {__version__}"
    mail.set_content("\n".join(_paragraphs(data)))
    return mail


def _paragraphs(data: Json) -> list[str]:
    lines = [data["text"], ""]
    if alarm := data["alarm"]:
        lines.append(f"Rule:     {alarm['rule']} ({alarm['severity']})")
        if alarm["routeId"]:
            lines.append(f"Route:    {alarm['routeName']} ({alarm['routeId']})")
        lines.append(f"Seen:     {alarm['message']}")
        lines.append(f"Raised:   {_utc(alarm['raisedAt']):%Y-%m-%d %H:%M:%S} UTC")
        if alarm["clearedAt"]:
            lines.append(f"Over:     {_utc(alarm['clearedAt']):%Y-%m-%d %H:%M:%S} UTC: {alarm['clearedMessage']}")
    lines.append(f"Server:   {data['server']}")
    return [_line(line) for line in lines]


def _utc(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def _line(text: str) -> str:
    """One line, whatever a name holds."""
    return "".join(char if char.isprintable() else " " for char in text)
