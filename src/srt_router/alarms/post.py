"""The post office: one courier for each receiver, each in a task of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from srt_router.alarms.courier import Courier, Trouble
from srt_router.alarms.model import Receiver
from srt_router.alarms.records import Message, ReceiverState
from srt_router.alarms.transport import Transport


class PostOffice:
    """Hands messages to the couriers of their receivers. Runs on the event loop."""

    def __init__(
        self,
        transport: Transport,
        tasks: asyncio.TaskGroup,
        done: Callable[[Message], None],
        troubled: Callable[[Trouble], None],
    ) -> None:
        self.transport = transport
        self._tasks = tasks
        self._done = done
        self._troubled = troubled
        self._couriers: dict[str, tuple[Courier, asyncio.Task[None]]] = {}

    def serve(self, receiver: Receiver) -> None:
        """There is this receiver, or it is another one now."""
        if receiver.id in self._couriers:
            self._couriers[receiver.id][0].change(receiver)
            return
        courier = Courier(receiver, self.transport, self._done, self._troubled)
        task = self._tasks.create_task(courier.run(), name=f"courier of {receiver.id}")
        self._couriers[receiver.id] = courier, task

    def leave(self, receiver_id: str) -> None:
        """The receiver is no more."""
        courier, task = self._couriers.pop(receiver_id)
        courier.close()
        task.cancel()
        courier.drop()

    def take(self, messages: Iterable[Message]) -> None:
        """Deliver these. What is for nobody is as good as delivered."""
        sorted_: dict[str, list[Message]] = {}
        for message in messages:
            courier = self._couriers.get(message.receiver_id)
            if courier is None or not courier[0].receiver.enabled:
                self._done(message)
            else:
                sorted_.setdefault(message.receiver_id, []).append(message)
        for receiver_id, its in sorted_.items():
            self._couriers[receiver_id][0].take(its)

    def waiting(self) -> list[Message]:
        """Everything that is not delivered yet."""
        return [message for courier, _ in self._couriers.values() for message in courier.waiting()]

    def state(self, receiver_id: str) -> ReceiverState:
        """How a receiver fares."""
        return self._couriers[receiver_id][0].snapshot()

    def tested(self, receiver_id: str, error: str | None) -> None:
        """Somebody has tried whether it can be reached."""
        if receiver_id in self._couriers:
            self._couriers[receiver_id][0].tested(error)

    def close(self) -> None:
        """Deliver no more; what waits is kept for the next server."""
        for courier, task in self._couriers.values():
            courier.close()
            task.cancel()
