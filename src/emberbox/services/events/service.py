"""The service `events`, put together from its groups of operations."""

import logging
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

from emberbox.clock import Clock
from emberbox.identity.sealing import Sealer
from emberbox.model.event_bus import Archive, Bus, Connection, Destination, Replay, Rule
from emberbox.model.parcels import Parcel
from emberbox.model.request import Operation
from emberbox.rounds import Paced, Trouble
from emberbox.services.events.archives import ArchiveOperations
from emberbox.services.events.buses import BusOperations
from emberbox.services.events.calling import Caller
from emberbox.services.events.connections import ConnectionOperations
from emberbox.services.events.destinations import DestinationOperations
from emberbox.services.events.naming import Buses, bus_key_of
from emberbox.services.events.putting import PutOperations
from emberbox.services.events.replays import ReplayOperations
from emberbox.services.events.routing import Counted, Router
from emberbox.services.events.rules import RuleOperations
from emberbox.services.events.tagging import TagOperations
from emberbox.services.events.target_ops import TargetOperations
from emberbox.services.events.ticking import RuleClock
from emberbox.services.targets.dispatching import Dispatcher
from emberbox.services.targets.web import WebCaller
from emberbox.storage.database import Database
from emberbox.storage.outbox import Outbox
from emberbox.storage.shelf import Shelf

log = logging.getLogger("emberbox.events")

_EXPIRE_EVERY_S = 3_600.0


class EventsService:
    """Amazon EventBridge. What is put before `open` waits on disk."""

    name = "events"

    def __init__(
        self, database: Database, sealer: Sealer, web: WebCaller, clock: Clock, counted: Counted
    ) -> None:
        self.outbox = Outbox(database)
        self._shelves: list[Shelf[Any]] = []
        self.buses = Buses(self._shelf(database, "bus", Bus))
        self._rules = rules = self._shelf(database, "rule", Rule)
        archives = self._shelf(database, "archive", Archive)
        replays = self._shelf(database, "replay", Replay)
        connections = self._shelf(database, "connection", Connection)
        destinations = self._shelf(database, "destination", Destination)
        self.router = Router(database, rules, archives, clock, counted)
        self.ticking = RuleClock(database, rules, self.router, clock)
        finding = RuleOperations(self.buses, rules, clock)
        self.putting = PutOperations(self.buses, self.router, clock)
        self._archiving = ArchiveOperations(database, self.buses, archives, clock)
        self._replaying = ReplayOperations(database, archives, replays, self.router, clock)
        self._expiring = Paced(
            self._archiving.expire, _EXPIRE_EVERY_S, Trouble(log, "archives keep what has expired")
        )
        connecting = ConnectionOperations(connections, sealer, clock)
        destining = DestinationOperations(destinations, connecting, clock)
        self.caller = Caller(destining, connecting, web, clock)
        self.operations: Mapping[str, Operation] = {
            **BusOperations(self.buses, rules, clock).operations,
            **finding.operations,
            **TargetOperations(rules, finding).operations,
            **self.putting.operations,
            **self._archiving.operations,
            **self._replaying.operations,
            **connecting.operations,
            **destining.operations,
            **TagOperations(self.buses, rules).operations,
        }

    @classmethod
    async def start(
        cls,
        path: Path,
        sealer: Sealer,
        web: WebCaller,
        clock: Clock,
        counted: Counted,
        stack: AsyncExitStack,
    ) -> Self:
        """The service over a database file; it closes when the stack unwinds."""
        database = await Database.open(path, "buses", ("buses", "documents", "outbox"))
        stack.push_async_callback(database.close)
        service = cls(database, sealer, web, clock, counted)
        for shelf in service._shelves:
            await shelf.load()
        service.router.load()
        return service

    def open(self, dispatcher: Dispatcher, stack: AsyncExitStack) -> None:
        """Begin to send, to tick and to replay."""
        self.router.take = dispatcher.take
        dispatcher.open()
        stack.push_async_callback(dispatcher.close)
        self.ticking.open()
        stack.push_async_callback(self.ticking.close)
        self._replaying.open()
        stack.push_async_callback(self._replaying.close)
        self._expiring.open(at_once=True)
        stack.push_async_callback(self._expiring.close)

    async def put(self, parcel: Parcel) -> None:
        """A bus as the target of a rule of another."""
        await self.putting.put_parcel(parcel, bus_key_of(parcel.target))

    def _shelf(self, database: Database, kind: str, type_: Any) -> Shelf[Any]:
        shelf = Shelf[Any](database, kind, type_)
        self._shelves.append(shelf)
        return shelf
