"""Who changes what plans make of the same routes tells it: or an upgrade would take streams off air."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from srt_router.processes import spec
from srt_router.routes.bus import Bus
from srt_router.routes.engine import Engine
from srt_router.routes.parsing import parse_route
from srt_router.routes.plan import PlanContext, plan

CONTEXT = PlanContext(
    bus=Bus("239.255.1.1", 20000),
    run_dir="/run/srt-router",
    engine=Engine((1, 5, 1), "/usr/bin/python3", "/opt/duplicator.py"),
    transcoded_bus=Bus("239.255.1.2", 20001),
)
SRT = {"type": "srt", "mode": "listener", "port": 4000, "latency": 120}
CALLER = {"type": "srt", "mode": "caller", "host": "192.0.2.7", "port": 7000, "passphrase": "correct-horse-42"}
RENDEZVOUS = {"type": "srt", "mode": "rendezvous", "host": "192.0.2.8", "port": 7001}
UDP = {"type": "udp", "host": "127.0.0.1", "port": 5000}
MULTICAST = {"type": "udp", "host": "239.10.0.1", "port": 5000, "ttl": 8}
VIDEO = {"codec": "h264", "bitrateKbps": 3000, "width": 1280, "height": 720, "deinterlace": "frame"}
AUDIO = {"codec": "aac", "bitrateKbps": 128, "channels": 2, "matrix": [{"output": 1, "input": 2}]}
ROUTES: list[dict[str, Any]] = [
    {"source": SRT, "destinations": [{**SRT, "port": 6000}, CALLER, RENDEZVOUS, MULTICAST]},
    {"source": UDP, "destinations": [CALLER, MULTICAST]},
    {"source": SRT, "transcode": {"video": VIDEO, "audio": AUDIO}, "destinations": [CALLER, MULTICAST]},
    {"source": CALLER, "transcode": {"video": "copy", "audio": "copy"}, "destinations": [{**SRT, "port": 6000}]},
]
KNOWN = (2, "b5f50e4f535d2fb5")
"""The format, and what it makes of these routes."""


def test_the_format_of_command_lines_is_numbered() -> None:
    lines = [
        one.argv
        for number, route in enumerate(ROUTES)
        for one in plan(parse_route({"id": f"route_{number}", "name": "x", **route}), CONTEXT)
    ]
    made = hashlib.sha256(json.dumps(lines).encode()).hexdigest()[:16]
    assert (spec.FORMAT, made) == KNOWN, (
        "Plans make other command lines of the same routes: raise FORMAT in processes/spec.py, so that processes of "
        "the version before stay on air at an upgrade, and put the new number and hash here"
    )
