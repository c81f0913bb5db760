"""What is had and looked at before a route starts: its buses, its ports, its programs, its encoder."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from srt_router.routes.bus import NoBusLeft
from srt_router.routes.ffmpeg import may_use_hardware, missing_encoder
from srt_router.routes.model import Route
from srt_router.routes.plan import PlanContext, plan
from srt_router.supervision.checks import PortTable, missing_programs, taken_ports
from srt_router.supervision.services import Services

log = logging.getLogger("RouteManager")


async def prepare(
    route: Route, services: Services, table: PortTable | None, former: PlanContext | None
) -> tuple[PlanContext | None, list[str]]:
    """What the plan of a route needs, and why it cannot start. `former` is what its last start had."""
    try:
        now = await asyncio.to_thread(PortTable.look) if table is None else table
        if former is not None:
            for bus in (former.bus, former.transcoded_bus):
                if bus is not None:
                    services.taps.close(bus)  # or we would take ourselves for somebody on our bus
        context = PlanContext(
            bus=services.buses.assign(route.id, now.occupied),
            run_dir=str(services.spawner.run_dir.path),
            engine=await services.engine_for(route.transcode),
            transcoded_bus=services.buses.assign(route.id, now.occupied, "B"),
        )
        reasons = missing_programs(plan(route, context))
        if encoder := missing_encoder(route.transcode, context.engine):
            reasons.append(encoder)
        if taken := taken_ports(route, now):
            reasons += await asyncio.to_thread(services.holders.sentences, taken)
    except (OSError, NoBusLeft) as error:
        return None, [f"its ports cannot be looked at: {error}"]
    return context, reasons


async def prepare_change(route: Route, services: Services, context: PlanContext) -> PlanContext:
    """What the new definition of a route that is on air needs: it may transcode now."""
    if not may_use_hardware(route.transcode):
        return context
    context = replace(context, engine=await services.engine_for(route.transcode))
    if encoder := missing_encoder(route.transcode, context.engine):
        log.error("Route %s: %s", route.id, encoder)
    return context
