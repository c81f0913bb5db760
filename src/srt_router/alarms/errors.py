"""What can go wrong with alarms, as users read it."""

from __future__ import annotations

from collections.abc import Sequence

from srt_router.errors import SrtRouterError


class AlarmNotFound(SrtRouterError):  # noqa: N818 - said as it is
    """No alarm has this id, or it has ended too long ago."""

    code = "alarmNotFound"


class RuleNotFound(SrtRouterError):  # noqa: N818 - said as it is
    """No rule has this id."""

    code = "alarmRuleNotFound"


class ReceiverNotFound(SrtRouterError):  # noqa: N818 - said as it is
    """No receiver has this id."""

    code = "alarmReceiverNotFound"


class ReceiverInUse(SrtRouterError):  # noqa: N818 - said as it is
    """Rules name the receiver: without it they would tell nobody."""

    code = "alarmReceiverInUse"

    def __init__(self, name: str, rules: Sequence[str]) -> None:
        named = ", ".join(map(repr, rules))
        super().__init__(f"receiver {name!r} is named by {named}: take it out of these rules first")


class TooMany(SrtRouterError):  # noqa: N818 - said as it is
    """There are as many rules or receivers as there may be."""

    code = "alarmLimit"


class DeliveryFailed(SrtRouterError):  # noqa: N818 - said as it is
    """A message did not reach its receiver this time. Says no more than may be shown: no path of a URL."""

    code = "alarmDeliveryFailed"
