"""`/api/live`: every change as it happens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Literal, TypedDict

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import connect

from srt_router.client import answers
from srt_router.client.connection import Connection, problem_of
from srt_router.client.errors import NoAnswer

SILENCE_S = 10.0
"""The server speaks every second: after so long without a word, nobody is there."""

Numbers = dict[str, list[answers.LegStatistics]]
"""By the id of the route, its legs; what is not known is left out."""


class Snapshot(TypedDict):
    """Everything; forget what was known before."""

    type: Literal["snapshot"]
    at: int
    lastEventId: int
    routes: list[answers.RouteView]
    stats: Numbers


class RouteChanged(TypedDict):
    """A route as it is now."""

    type: Literal["route"]
    route: answers.RouteView


class RouteRemoved(TypedDict):
    """A route is no more."""

    type: Literal["removed"]
    id: str


class AlarmsChanged(TypedDict):
    """All active alarms, the newest 500 of them."""

    type: Literal["alarms"]
    at: int
    total: int
    items: list[answers.Alarm]


class Happened(TypedDict):
    """One event."""

    type: Literal["event"]
    event: answers.Event


class Statistics(TypedDict):
    """The numbers of every route, once a second."""

    type: Literal["stats"]
    at: int
    routes: Numbers


class Missed(TypedDict):
    """We were too slow, and events were dropped; a snapshot follows."""

    type: Literal["missed"]


Message = Snapshot | RouteChanged | RouteRemoved | AlarmsChanged | Happened | Statistics | Missed


def follow(connection: Connection) -> Iterator[Message]:
    """Every message from now on. Raises ApiProblem where the server refuses, NoAnswer when it ends or falls silent."""
    headers = {"Authorization": f"Bearer {connection.token}"} if connection.token else {}
    url = f"ws{connection.url.removeprefix('http')}/api/live"
    try:
        with connect(
            url,
            additional_headers=headers,
            ssl=connection.context,
            proxy=None if connection.direct else True,
            max_size=None,
            open_timeout=connection.timeout_s,
        ) as socket:
            while True:
                message: Message = json.loads(socket.recv(timeout=SILENCE_S))
                yield message
    except InvalidStatus as error:
        answer = error.response
        raise problem_of(answer.status_code, answer.headers, bytes(answer.body or b""), connection.url) from None
    except ConnectionClosed as error:
        why = error.rcvd.reason if error.rcvd and error.rcvd.reason else "the connection was lost"
        raise NoAnswer(f"{connection.url} tells no more: {why}") from error
    except TimeoutError as error:
        raise NoAnswer(f"{connection.url} has not said anything for {SILENCE_S:g} s") from error
    except (OSError, InvalidHandshake, ValueError) as error:
        raise NoAnswer(f"{connection.url} does not answer: {error}") from error
