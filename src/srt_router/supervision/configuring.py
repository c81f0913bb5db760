"""Gives a live process its new configuration; one that cannot be written now is written as soon as it can."""

from __future__ import annotations

import logging

from srt_router.processes.spawner import CONFIG_SUFFIX, Spawner, write_config
from srt_router.supervision.process_record import ProcessRecord

log = logging.getLogger("RouteManager")


def configure(spawner: Spawner, record: ProcessRecord) -> None:
    """Write what the spec of a process says its configuration should be."""
    spec, before = record.spec, record.error

    def write() -> None:
        write_config(spawner.run_dir, spec)
        record.error = None

    if error := spawner.unwritten.try_to(spec.name + CONFIG_SUFFIX, write):
        record.error = f"its new configuration cannot be written: {error.strerror}"
        if record.error != before:
            log.error("Route %s: %s: %s", spec.route_id, spec.process_type, record.error)
