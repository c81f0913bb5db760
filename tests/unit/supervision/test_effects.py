"""What an edit would do to processes, from two plans."""

from __future__ import annotations

from srt_router.routes.bus import Bus
from srt_router.routes.model import Route
from srt_router.routes.plan import PlanContext, plan
from srt_router.supervision.effects import EffectAction, Effects, effects_on, restarted
from tests.unit.routes.examples import BUS, ENGINE, caller, listener, route, udp

CONTEXT = PlanContext(BUS, "/run/x", ENGINE, Bus("239.255.3.4", 20002))
TRANSCODE = {"video": "copy", "audio": "copy"}


def actions(before: Route | None, after: Route | None) -> dict[str, str]:
    """What becomes of each process if `before` becomes `after`."""
    old = plan(before, CONTEXT) if before else []
    new = plan(after, CONTEXT, old) if after else []
    return {one.type: str(one.action) for one in effects_on("route_1", old, new)}


def test_each_kind_of_edit() -> None:
    first = route(listener(6000), udp())
    keep = {"srt": "keep", "srtOut:6000": "keep", "udpDuplicator": "keep"}
    assert actions(first, first) == keep
    assert actions(first, route(listener(6000), udp(), name="B", tags=["x"])) == keep
    assert actions(first, route(udp(), listener(6000))) == keep
    assert actions(first, route(listener(6000, latency=9), udp())) == {**keep, "srtOut:6000": "restart"}
    assert actions(first, route(listener(6000), udp(ttl=3))) == {**keep, "udpDuplicator": "configure"}
    assert actions(first, route(listener(6000))) == {**keep, "udpDuplicator": "stop"}
    assert actions(first, route(listener(6000), udp(), caller())) == {**keep, "srtOut:7000": "start"}
    assert actions(first, route(listener(6000), udp(), source=listener(4099))) == {**keep, "srt": "restart"}
    assert actions(first, route(listener(6000), udp(), transcode=TRANSCODE)) == {
        "srt": "keep", "ffmpeg": "start", "srtOut:6000": "restart", "udpDuplicator": "restart",
    }  # fmt: skip
    assert set(actions(first, None).values()) == {"stop"}
    assert set(actions(None, first).values()) == {"start"}


def test_what_ends_interrupts() -> None:
    one, two = plan(route(listener(6000)), CONTEXT), plan(route(listener(6000), caller()), CONTEXT)
    assert not Effects.of(effects_on("route_1", one, two)).interrupts
    assert Effects.of(effects_on("route_1", two, one)).interrupts
    assert not Effects.of(()).interrupts


def test_a_restart_ends_what_would_stay() -> None:
    specs = plan(route(listener(6000)), CONTEXT)
    again = restarted(effects_on("route_1", specs, plan(route(listener(6000), caller()), CONTEXT)))
    assert {one.type: one.action for one in again} == {
        "srt": EffectAction.RESTART, "srtOut:6000": EffectAction.RESTART, "srtOut:7000": EffectAction.START,
    }  # fmt: skip
