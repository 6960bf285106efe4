"""Replays: archived events that go through their bus again, page by page, each page once.

How far a replay has come is written in the commit that promises what follows from its events, so a
server that dies goes on where it was.
"""

import asyncio
import json
import logging
from dataclasses import replace
from functools import partial
from typing import Final

from emberbox.clock import Clock
from emberbox.errors import CallerError
from emberbox.model.event_bus import Archive, Replay, invalid, not_found
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.rounds import Trouble, until_done
from emberbox.services.events.naming import bus_key_of, mine, page, present, stamp
from emberbox.services.events.routing import Outcome, Router
from emberbox.storage.database import Database, Transaction
from emberbox.storage.outbox import Waiting
from emberbox.storage.shelf import Shelf, ShelfKey

log = logging.getLogger("emberbox.events")

_PAGE: Final = 100
_ACTIVE: Final = frozenset({"STARTING", "RUNNING"})


class ReplayOperations:
    """What is done to replays, and what they do."""

    def __init__(
        self,
        database: Database,
        archives: Shelf[Archive],
        replays: Shelf[Replay],
        router: Router,
        clock: Clock,
    ) -> None:
        self._database = database
        self._archives = archives
        self._replays = replays
        self._router = router
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def operations(self) -> dict[str, Operation]:
        """By their names in the model."""
        return {
            "CancelReplay": self.cancel_replay,
            "DescribeReplay": self.describe_replay,
            "ListReplays": self.list_replays,
            "StartReplay": self.start_replay,
        }

    def open(self) -> None:
        """Go on with what a former server has begun."""
        for replay in self._replays.mirror:
            if replay.state in _ACTIVE:
                self._begin(_key_of(replay))

    async def close(self) -> None:
        """Stop; how far each has come is on disk."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def start_replay(self, context: RequestContext, params: Params) -> Params:
        """Begin to send the archived events of a time to their bus again."""
        name, source = params["ReplayName"], params["EventSourceArn"]
        archive = next((a for a in mine(self._archives, context) if a.arn == source), None)
        if archive is None:
            raise not_found(f"Archive {source.rpartition('/')[2]} does not exist.")
        destination = params["Destination"]
        if destination["Arn"] != archive.source:
            raise invalid(
                "Parameter Destination.Arn is not valid. Reason: Must point to the event bus that "
                "the archive was created from."
            )
        start, end = params["EventStartTime"], params["EventEndTime"]
        if start >= end:
            raise invalid(
                "Parameter EventEndTime is not valid. Reason: EventStartTime must be before "
                "EventEndTime."
            )
        fresh = Replay(
            context.account,
            context.region,
            name,
            source,
            destination["Arn"],
            list(destination.get("FilterArns") or []),
            start.timestamp(),
            end.timestamp(),
            self._clock.now(),
            params.get("Description") or "",
            last=start.timestamp(),
        )

        def alter(found: Replay | None) -> Replay:
            if found is not None:
                raise CallerError(
                    "ResourceAlreadyExistsException", f"Replay {name} already exists.", status=400
                )
            return fresh

        await self._replays.put(_key_of(fresh), alter)
        self._begin(_key_of(fresh))
        return {
            "ReplayArn": fresh.arn,
            "State": "STARTING",
            "ReplayStartTime": stamp(fresh.begun),
        }

    async def cancel_replay(self, context: RequestContext, params: Params) -> Params:
        """End a replay before its time."""
        replay = self._found(context, params["ReplayName"])
        now = self._clock.now()

        def alter(found: Replay | None) -> Replay:
            current = found or replay
            if current.state not in _ACTIVE:
                raise CallerError(
                    "IllegalStatusException", f"Replay {replay.name} is over.", status=400
                )
            return replace(current, state="CANCELLED", ended=now)

        await self._replays.put(_key_of(replay), alter)
        return {"ReplayArn": replay.arn, "State": "CANCELLED"}

    async def describe_replay(self, context: RequestContext, params: Params) -> Params:
        """One replay."""
        replay = self._found(context, params["ReplayName"])
        return _shown(replay) | present(
            {
                "ReplayArn": replay.arn,
                "Description": replay.description,
                "Destination": {"Arn": replay.bus, "FilterArns": replay.filters},
            }
        )

    async def list_replays(self, context: RequestContext, params: Params) -> Params:
        """The replays of the caller's account."""
        state, source = params.get("State"), params.get("EventSourceArn")
        found = [
            each
            for each in mine(self._replays, context, params.get("NamePrefix"))
            if state in (None, each.state) and source in (None, each.archive)
        ]
        return page(found, params, "Replays", _shown)

    def _found(self, context: RequestContext, name: str) -> Replay:
        found = self._replays.get(ShelfKey(context.account, context.region, name))
        if found is None:
            raise not_found(f"Replay {name} does not exist.")
        return found

    def _begin(self, key: ShelfKey) -> None:
        task = asyncio.get_running_loop().create_task(self._run(key))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, key: ShelfKey) -> None:
        trouble = Trouble(log, f"replay {key.name} cannot go on")
        while await until_done(partial(self._step, key), trouble):
            pass

    async def _step(self, key: ShelfKey) -> bool:
        """A page of it; whether there may be more."""
        replay = self._replays.get(key)
        if replay is None or replay.state not in _ACTIVE:
            return False
        await self._page(replay)
        return True

    async def _page(self, replay: Replay) -> None:
        bus = bus_key_of(replay.bus)
        archive = replay.archive.rpartition("/")[2]
        rows = await self._database.read(
            lambda tx: tx.all(
                "archived_some",
                account=replay.account,
                region=replay.region,
                archive=archive,
                after=replay.last,
                after_id=replay.last_id,
                until=replay.end,
                limit=_PAGE,
            )
        )
        outcome = Outcome()
        for row in rows if bus is not None else ():
            event = json.loads(row["event"]) | {"replay-name": replay.name}
            assert bus is not None
            matched = await self._router.matching(bus, event)
            self._router.route(event, matched, outcome, only=frozenset(replay.filters))
        now = self._clock.now()
        sent: list[Waiting] = []

        def alter(found: Replay | None) -> Replay:
            current = found or replay
            if current.state not in _ACTIVE:
                return current
            if not rows:
                return replace(current, state="COMPLETED", ended=now)
            last = rows[-1]
            return replace(current, state="RUNNING", last=last["at"], last_id=last["id"])

        def work(tx: Transaction) -> Replay:
            after = self._replays.put_in(tx, _key_of(replay), alter)
            if after.state in _ACTIVE:
                sent.extend(outcome.commit(tx, now))
            return after

        await self._replays.mirror.write(_key_of(replay), work)
        self._router.take(sent)


def _key_of(replay: Replay) -> ShelfKey:
    return ShelfKey(replay.account, replay.region, replay.name)


def _shown(replay: Replay) -> Params:
    return present(
        {
            "ReplayName": replay.name,
            "EventSourceArn": replay.archive,
            "State": replay.state,
            "StateReason": replay.reason,
            "EventStartTime": stamp(replay.start),
            "EventEndTime": stamp(replay.end),
            "EventLastReplayedTime": stamp(replay.last) if replay.last_id else None,
            "ReplayStartTime": stamp(replay.begun),
            "ReplayEndTime": stamp(replay.ended) if replay.ended else None,
        }
    )
