"""What an edit does to processes, said before it is done: the plan as it is against the plan as it would be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar

from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from srt_router.processes.spec import ProcessSpec


class EffectAction(StrEnum):
    """What becomes of one process."""

    START = "start"
    STOP = "stop"
    RESTART = "restart"
    KEEP = "keep"
    """It goes on as it is."""
    CONFIGURE = "configure"
    """It goes on, with other UDP destinations."""


_ENDS = (EffectAction.STOP, EffectAction.RESTART)


@dataclass(frozen=True, slots=True)
class ProcessEffect:
    """What becomes of one process of a route on air."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(alias_generator=to_camel)

    route_id: str
    type: str
    action: EffectAction


@dataclass(frozen=True, slots=True)
class Effects:
    """What an edit does to everything on air."""

    processes: list[ProcessEffect]
    interrupts: bool
    """A process that runs now ends: whoever gets the stream through it notices."""

    @classmethod
    def of(cls, processes: Iterable[ProcessEffect]) -> Effects:
        """Sum up."""
        found = list(processes)
        return cls(found, any(one.action in _ENDS for one in found))


def effects_on(route_id: str, before: Sequence[ProcessSpec], after: Sequence[ProcessSpec]) -> list[ProcessEffect]:
    """Compare what should run now with what should run then, as supervision will compare it."""
    wanted = {spec.process_type: spec for spec in after}
    known = {spec.process_type: spec for spec in before}
    found = [ProcessEffect(route_id, kind, _action(spec, wanted.get(kind))) for kind, spec in known.items()]
    found += [ProcessEffect(route_id, kind, EffectAction.START) for kind in wanted if kind not in known]
    return found


def restarted(effects: Iterable[ProcessEffect]) -> list[ProcessEffect]:
    """The same, where everything that stays is ended and started again."""
    stays = (EffectAction.KEEP, EffectAction.CONFIGURE)
    return [replace(one, action=EffectAction.RESTART) if one.action in stays else one for one in effects]


def _action(before: ProcessSpec, after: ProcessSpec | None) -> EffectAction:
    if after is None:
        return EffectAction.STOP
    if after.spec_hash != before.spec_hash:
        return EffectAction.RESTART
    return EffectAction.CONFIGURE if after.config != before.config else EffectAction.KEEP
