"""Who did what, when, from where, with the old and the new value: an event `operatorAction` for each.

Every answered request that changed something is audited. A path that knows more than its own name says
so with `audit`; for one that does not, the guard tells at least who called it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from pydantic import BaseModel
from pydantic.alias_generators import to_camel
from starlette.requests import Request

from srt_router.api.access import caller_of
from srt_router.redaction import redact_data
from srt_router.supervision.events import OperatorAction

_NOBODY = "nobody"


def audit(
    request: Request, action: str, *, route_id: str | None = None, before: object = None, after: object = None
) -> None:
    """Tell that the caller of `request` did `action` (`route.start`, `user.add`).

    `before` and `after` are models, dataclasses, mappings or plain data; of two with fields, only those that
    differ are told. Secrets are hidden: that a passphrase changed can be seen, the passphrase cannot.
    """
    caller = caller_of(request)
    old, new = difference(before, after)
    request.state.audited = True
    request.app.state.manager.events.emit(
        OperatorAction(
            action=action,
            by=caller.actor if caller else _NOBODY,
            role=caller.role if caller else None,
            address=caller.address if caller else None,
            route_id=route_id,
            before=redact_data(old),
            after=redact_data(new),
        )
    )


def difference(before: object, after: object) -> tuple[object, object]:
    """Both as plain data; of two with fields, the fields that differ. Compared before anything is hidden."""
    old, new = _fields(before), _fields(after)
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        changed = [key for key in {**old, **new} if key not in old or key not in new or old[key] != new[key]]
        return {key: old[key] for key in changed if key in old}, {key: new[key] for key in changed if key in new}
    return old, new


def _fields(value: object) -> object:
    match value:
        case BaseModel():
            return value.model_dump(by_alias=True)
        case list() | tuple():
            return [_fields(one) for one in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {to_camel(field.name): _fields(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return value
