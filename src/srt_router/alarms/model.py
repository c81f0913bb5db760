"""What alarms are made of: rules, and the receivers of their messages. As the API takes them and as they are stored."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr
from pydantic.alias_generators import to_camel

MASK = "**********"
"""What a secret is shown as; sent back, it keeps the one that is stored."""
LONGEST_S = 7 * 24 * 3600

_ADDRESS = re.compile(r"[^\s@<>()\[\],;:\\\"]{1,64}@[A-Za-z0-9.-]{1,255}")


class AlarmKind(StrEnum):
    """What a rule looks at."""

    ROUTE_FAILED = "routeFailed"
    WAITING_LONGER_THAN = "waitingLongerThan"
    DEGRADED_LONGER_THAN = "degradedLongerThan"
    BITRATE_BELOW = "bitrateBelow"
    LOSS_ABOVE = "lossAbove"
    CONTINUITY_ERRORS_ABOVE = "continuityErrorsAbove"
    BUS_DROPS_ABOVE = "busDropsAbove"
    CRASH_LOOPING = "crashLooping"
    ORPHAN_FOUND = "orphanFound"


class Severity(StrEnum):
    """How bad it is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class AlarmModel(BaseModel):
    """JSON in camelCase; a field that does not exist is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, validate_by_name=True)


# Conditions


class RouteFailed(AlarmModel):
    """The status of the route is `failed`: it cannot start, or it stalled and was given up."""

    kind: Literal[AlarmKind.ROUTE_FAILED]


class WaitingLongerThan(AlarmModel):
    """The route has waited for its source for longer than so many seconds."""

    kind: Literal[AlarmKind.WAITING_LONGER_THAN]
    seconds: float = Field(ge=0, le=LONGEST_S, allow_inf_nan=False)


class DegradedLongerThan(AlarmModel):
    """A destination of the route has been in trouble for longer than so many seconds."""

    kind: Literal[AlarmKind.DEGRADED_LONGER_THAN]
    seconds: float = Field(ge=0, le=LONGEST_S, allow_inf_nan=False)


class BitrateBelow(AlarmModel):
    """The source of a route on air brings less than so many Mb/s."""

    kind: Literal[AlarmKind.BITRATE_BELOW]
    mbps: float = Field(gt=0, le=10_000, allow_inf_nan=False)


class LossAbove(AlarmModel):
    """More than so many percent of the packets of one leg were lost on the way, also those that were sent again."""

    kind: Literal[AlarmKind.LOSS_ABOVE]
    percent: float = Field(ge=0, lt=100, allow_inf_nan=False)


class ContinuityErrorsAbove(AlarmModel):
    """The transport stream had more than so many continuity errors in the last minute."""

    kind: Literal[AlarmKind.CONTINUITY_ERRORS_ABOVE]
    errors_per_minute: int = Field(ge=0, le=1_000_000)


class BusDropsAbove(AlarmModel):
    """The kernel threw away more than so many datagrams of the route's bus in the last minute."""

    kind: Literal[AlarmKind.BUS_DROPS_ABOVE]
    datagrams_per_minute: int = Field(ge=0, le=1_000_000)


class CrashLooping(AlarmModel):
    """A process of the route has failed ten times within a minute."""

    kind: Literal[AlarmKind.CRASH_LOOPING]


class OrphanFound(AlarmModel):
    """A media process without an owner was found on this host. Not of one route."""

    kind: Literal[AlarmKind.ORPHAN_FOUND]


Condition = Annotated[
    RouteFailed
    | WaitingLongerThan
    | DegradedLongerThan
    | BitrateBelow
    | LossAbove
    | ContinuityErrorsAbove
    | BusDropsAbove
    | CrashLooping
    | OrphanFound,
    Field(discriminator="kind"),
]

# Rules


def _plain(name: str) -> str:
    stripped = name.strip()
    if not stripped or not stripped.isprintable():
        raise ValueError("must have a visible character, and no control characters")
    return stripped


Name = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_plain)]
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Patience = Annotated[float, Field(ge=0, le=LONGEST_S, allow_inf_nan=False)]


class RuleInput(AlarmModel):
    """A rule as it is made or replaced."""

    name: Name
    enabled: bool = True
    condition: Condition
    routes: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=100)], ...], Field(max_length=1000)] = ()
    """Ids or tags of routes; empty: all of them."""
    hold_off: Patience = 0.0
    """Seconds for which the condition must hold before an alarm is raised."""
    recover_after: Patience = 10.0
    """Seconds for which it must be gone before the alarm ends."""
    severity: Severity = Severity.WARNING
    receivers: Annotated[tuple[Id, ...], Field(max_length=50)] = ()
    """Ids of the receivers that are told; empty: the alarm is shown and sent to nobody."""
    notify_recovery: bool = True
    """Also told that it is over."""


class Rule(RuleInput):
    """A rule."""

    id: Id


def default_rules() -> list[Rule]:
    """What an installation begins with: what is always wrong, shown on the console and sent to nobody yet."""
    return [
        Rule(
            id="rule_1",
            name="Route failed",
            condition=RouteFailed(kind=AlarmKind.ROUTE_FAILED),
            severity=Severity.CRITICAL,
        ),
        Rule(
            id="rule_2",
            name="Crash-looping process",
            condition=CrashLooping(kind=AlarmKind.CRASH_LOOPING),
            recover_after=120.0,  # the tries go on, half a minute apart
        ),
        Rule(
            id="rule_3",
            name="Orphan found",
            condition=OrphanFound(kind=AlarmKind.ORPHAN_FOUND),
            recover_after=0.0,
        ),
    ]


# Receivers


def _web_address(url: str) -> str:
    problem = "must be like https://host/path"
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise ValueError(problem) from None
    if parts.scheme not in ("http", "https") or not host or not url.isprintable() or " " in url:
        raise ValueError(problem)
    if parts.username is not None or parts.password is not None:
        raise ValueError("must hold no user name and password: use the secret, or a token in the path")
    return url


def _address(address: str) -> str:
    if not address.isascii() or not address.isprintable() or not _ADDRESS.fullmatch(address) or ".." in address:
        raise ValueError("must be an e-mail address like noc@example.org")
    return address


Address = Annotated[str, Field(max_length=320), AfterValidator(_address)]


class ReceiverInput(AlarmModel):
    """What every receiver has."""

    name: Name
    enabled: bool = True
    """False: nothing is sent to it, and what waits is dropped."""


def _plain_secret(secret: SecretStr) -> SecretStr:
    if not secret.get_secret_value().isprintable():
        raise ValueError("must not contain control characters")
    return secret


class WebhookInput(ReceiverInput):
    """A web address that messages are sent to by POST."""

    type: Literal["webhook"]
    url: Annotated[str, Field(max_length=2000), AfterValidator(_web_address)]
    secret: Annotated[SecretStr, Field(min_length=8, max_length=200), AfterValidator(_plain_secret)] | None = None
    """Messages are signed with it (HMAC-SHA256). Never shown; its mask, sent back, keeps it."""


class EmailInput(ReceiverInput):
    """Addresses that messages are sent to through the SMTP server of the settings."""

    type: Literal["email"]
    to: Annotated[tuple[Address, ...], Field(min_length=1, max_length=50)]


class Webhook(WebhookInput):
    """A webhook receiver."""

    id: Id

    @property
    def where(self) -> str:
        """Scheme and host: the path may hold a token."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    def secrets(self) -> frozenset[str]:
        """What must be shown to nobody: the secret, and the path of the URL."""
        parts = urlsplit(self.url)
        path = self.url.partition(parts.netloc)[2]
        own = {self.secret.get_secret_value()} if self.secret else set()
        return frozenset(own | ({path} if len(path) > 1 else set()))


class Email(EmailInput):
    """An e-mail receiver."""

    id: Id

    @property
    def where(self) -> str:
        """The addresses."""
        return ", ".join(self.to)

    def secrets(self) -> frozenset[str]:
        """None."""
        return frozenset()


AnyReceiverInput = Annotated[WebhookInput | EmailInput, Field(discriminator="type")]
Receiver = Annotated[Webhook | Email, Field(discriminator="type")]
