"""SRT Router from Python: everything that its HTTP API does, as typed calls.

>>> from srt_router.client import Client
>>> with Client("https://router.example:8080", token="srt_…") as router:
...     for route in router.routes.list(status=["failed"]):
...         router.routes.restart(route["id"])

Answers are dictionaries with the names of the reference; `srt_router.client.answers` has their types.
"""

from __future__ import annotations

from srt_router.client.client import Client
from srt_router.client.errors import ApiProblem, NoAnswer, WrongField
from srt_router.client.routes import Tagged

__all__ = ["ApiProblem", "Client", "NoAnswer", "Tagged", "WrongField"]
