"""Routes for the tests of this room."""

from __future__ import annotations

import json

from srt_router.routes.bus import Bus
from srt_router.routes.engine import Engine
from srt_router.routes.model import Route
from srt_router.routes.parsing import parse_route
from srt_router.routes.plan import PlanContext

Json = dict[str, object]

CONTRACT = """{
  "version": 1,
  "routes": [
    {
      "id": "route_1761154355576",
      "name": "Paris feed",
      "autoStart": true,
      "source": {"type": "srt", "mode": "listener", "port": 4082, "latency": 120,
                 "passphrase": "correct-horse-42", "streamId": "live/paris"},
      "transcode": null,
      "destinations": [
        {"type": "srt", "mode": "listener", "port": 6000, "latency": 120},
        {"type": "srt", "mode": "caller", "host": "192.0.2.7", "port": 7000},
        {"type": "udp", "host": "239.10.0.1", "port": 5000, "ttl": 8, "interface": "192.0.2.1"}
      ]
    }
  ]
}
"""
BUS = Bus("239.255.1.2", 20001)
ENGINE = Engine((1, 5, 1), "/usr/bin/python3", "/opt/duplicator.py")
CONTEXT = PlanContext(BUS, "/run/x", ENGINE)


def listener(port: int = 4082, **more: object) -> Json:
    return {"type": "srt", "mode": "listener", "port": port, **more}


def caller(host: str = "192.0.2.7", port: int = 7000, **more: object) -> Json:
    return {"type": "srt", "mode": "caller", "host": host, "port": port, **more}


def udp(host: str | None = "239.10.0.1", port: int = 5000, **more: object) -> Json:
    return {"type": "udp", "port": port, **({"host": host} if host else {}), **more}


def route_json(*destinations: Json, source: Json | None = None, number: int = 1, **more: object) -> Json:
    ends: Json = {"source": source or listener(), "transcode": None, "destinations": list(destinations)}
    return {"id": f"route_{number}", "name": f"Feed {number}", "autoStart": False, **ends, **more}


def route(*destinations: Json, source: Json | None = None, number: int = 1, **more: object) -> Route:
    return parse_route(route_json(*destinations, source=source, number=number, **more))


def file_text(*routes: Json, version: object = 1) -> str:
    return json.dumps({"version": version, "routes": list(routes)}, indent=2)
