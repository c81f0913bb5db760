"""Prints the OpenAPI document of the HTTP API, without starting anything: what the console's types are made from."""

from __future__ import annotations

import dataclasses
import json
from typing import Any
from unittest.mock import MagicMock

from srt_router.api.app import Rooms, create_app
from srt_router.api.network import Network
from srt_router.settings import Settings


def document() -> dict[str, Any]:
    """The document. The paths describe themselves; what they would ask is never asked."""
    real = {"network": Network(), "settings": Settings()}
    rooms = {field.name: real.get(field.name, MagicMock()) for field in dataclasses.fields(Rooms)}
    return create_app(Rooms(**rooms)).openapi()  # type: ignore[arg-type]


if __name__ == "__main__":
    print(json.dumps(document(), indent=1, sort_keys=True))
