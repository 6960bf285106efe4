"""The service `scheduler`: its operations, and the one timer that runs all schedules."""

import logging
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final, Self

from emberbox.clock import Clock
from emberbox.model.request import Operation
from emberbox.model.scheduling import Group
from emberbox.rounds import Rounds, Trouble
from emberbox.services.scheduler.groups import GroupOperations
from emberbox.services.scheduler.schedules import ScheduleOperations
from emberbox.services.targets.dispatching import Dispatcher
from emberbox.storage.database import Database
from emberbox.storage.outbox import Outbox
from emberbox.storage.schedules import ScheduleStore
from emberbox.storage.shelf import Shelf

log = logging.getLogger("emberbox.scheduler")

_AT_ONCE: Final = 100


class SchedulerService:
    """Amazon EventBridge Scheduler. Nothing runs before `open`."""

    name = "scheduler"

    def __init__(self, database: Database, clock: Clock, callable_: Callable[[str], bool]) -> None:
        self.outbox = Outbox(database)
        self.groups = Shelf(database, "group", Group)
        self._store = ScheduleStore(database)
        self._clock = clock
        self._rounds = Rounds(self.round, clock, Trouble(log, "schedules cannot be run"))
        self._dispatcher: Dispatcher | None = None
        groups = GroupOperations(self.groups, self._store, clock)
        schedules = ScheduleOperations(self._store, groups, clock, self._rounds.soon, callable_)
        self.operations: Mapping[str, Operation] = {
            **groups.operations,
            **schedules.operations,
        }

    @classmethod
    async def start(
        cls, path: Path, clock: Clock, callable_: Callable[[str], bool], stack: AsyncExitStack
    ) -> Self:
        """The service over a database file; it closes when the stack unwinds."""
        database = await Database.open(path, "schedules", ("schedules", "documents", "outbox"))
        stack.push_async_callback(database.close)
        service = cls(database, clock, callable_)
        await service.groups.load()
        return service

    def open(self, dispatcher: Dispatcher, stack: AsyncExitStack) -> None:
        """Begin to run schedules."""
        self._dispatcher = dispatcher
        dispatcher.open()
        stack.push_async_callback(dispatcher.close)
        self._rounds.open()
        stack.push_async_callback(self._rounds.close)

    async def round(self) -> float | None:
        """Run what is due; when the next is."""
        while sent := await self._store.fire(self._clock.now(), _AT_ONCE):
            if self._dispatcher is not None:
                self._dispatcher.take(sent)
        return await self._store.next()
