"""The way of an event: which rules match, what their targets get, which archives keep it.

When `accept` returns, all that follows from the event is on disk.
"""

import asyncio
import json
import logging
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from typing import Any, Final, NamedTuple

from emberbox.clock import Clock
from emberbox.model.event_bus import Archive, Rule, bus_arn, wire_time
from emberbox.model.event_pattern import EventPattern, has_many
from emberbox.model.input_transform import TransformError, body_of
from emberbox.model.parcels import AGE_DEFAULT_S, RETRIES_DEFAULT, Parcel
from emberbox.model.rule_index import RuleIndex
from emberbox.records import dataclass
from emberbox.services.events.rules import key_of
from emberbox.storage.database import Database, Transaction
from emberbox.storage.outbox import Waiting, promise
from emberbox.storage.shelf import Shelf, ShelfKey

log = logging.getLogger("emberbox.events")

_PRINCIPAL: Final = "events.amazonaws.com"
_SETTINGS: Final = ("SqsParameters", "HttpParameters")

Counted = Callable[[str, Rule], None]
"""Counts what a rule does, as a metric."""

Event = Mapping[str, Any]


class Matched(NamedTuple):
    """What wants an event."""

    rules: list[ShelfKey]
    archives: list[Archive]


@dataclass(slots=True)
class Outcome:
    """What follows from events: parcels, and rows of archives."""

    parcels: list[Parcel] = field(default_factory=list)
    archived: list[dict[str, Any]] = field(default_factory=list)

    def commit(self, tx: Transaction, due: float) -> list[Waiting]:
        """Write it within a transaction."""
        tx.run_many("archived_add", self.archived)
        return promise(tx, self.parcels, due)


class Router:
    """See the module. `take` hears what has been committed to be sent."""

    def __init__(
        self,
        database: Database,
        rules: Shelf[Rule],
        archives: Shelf[Archive],
        clock: Clock,
        counted: Counted,
    ) -> None:
        self._database = database
        self._rules = rules
        self._clock = clock
        self._counted = counted
        self._indexes: defaultdict[ShelfKey, RuleIndex[ShelfKey]] = defaultdict(RuleIndex)
        self._archives: defaultdict[str, dict[ShelfKey, tuple[Archive, EventPattern | None]]]
        self._archives = defaultdict(dict)
        self.take: Callable[[Iterable[Waiting]], None] = _left_on_disk
        self._archive_shelf = archives
        rules.mirror.listeners.append(self._rule_changed)
        archives.mirror.listeners.append(self._archive_changed)

    def load(self) -> None:
        """Take over what the shelves have read from disk."""
        for rule in self._rules.mirror:
            self._rule_changed(None, rule)
        for archive in self._archive_shelf.mirror:
            self._archive_changed(None, archive)

    async def accept(self, events: Iterable[tuple[ShelfKey, Event]], *, hops: int = 0) -> None:
        """Take events for buses. `hops` tells how many buses they have gone through before."""
        listed = list(events)
        matched = [await self.matching(bus, event) for bus, event in listed]
        # No pause from here to the commit: archives are in the order of their times.
        outcome = Outcome()
        for (_, event), each in zip(listed, matched, strict=True):
            self.route(event, each, outcome, hops=hops)
        await self.commit(outcome)

    async def matching(self, bus: ShelfKey, event: Event) -> Matched:
        """What wants an event of a bus; large ones are looked at beside the loop."""
        index = self._indexes.get(bus)
        rules = {} if index is None else index.candidates(event)
        archives = list(self._archives.get(bus_arn(*bus), {}).values())
        if "replay-name" in event:
            archives = []
        if (rules or archives) and has_many(event):
            return await asyncio.to_thread(_matched, event, rules, archives)
        return _matched(event, rules, archives)

    async def commit(self, outcome: Outcome) -> None:
        """Write what follows from events, and begin to send it."""
        if outcome.parcels or outcome.archived:
            now = self._clock.now()
            self.take(await self._database.write(lambda tx: outcome.commit(tx, now)))

    def route(
        self,
        event: Event,
        matched: Matched,
        outcome: Outcome,
        *,
        hops: int = 0,
        only: frozenset[str] = frozenset(),
    ) -> None:
        """Add what follows from an event; `only` are the ARNs of rules, empty for all."""
        for key in matched.rules:
            rule = self._rules.get(key)
            if rule is not None and rule.is_enabled and (not only or rule.arn in only):
                self.trigger(rule, event, outcome, hops=hops)
        for archive in matched.archives:
            self._archive(archive, event, outcome)

    def trigger(self, rule: Rule, event: Event, outcome: Outcome, *, hops: int = 0) -> None:
        """Add what the targets of a rule get of an event."""
        self._counted("MatchedEvents", rule)
        self._counted("TriggeredRules", rule)
        now = self._clock.now()
        for target in rule.targets.values():
            is_bus = ":event-bus/" in target["Arn"]
            if is_bus and hops:
                continue
            try:
                outcome.parcels.append(_parcel(rule, target, event, now, is_bus=is_bus))
            except TransformError as error:
                log.warning("%s has nothing for its target %s: %s", rule.arn, target["Id"], error)
                self._counted("FailedInvocations", rule)

    def _archive(self, archive: Archive, event: Event, outcome: Outcome) -> None:
        outcome.archived.append(
            {
                "account": archive.account,
                "region": archive.region,
                "archive": archive.name,
                "at": self._clock.now(),
                "event": json.dumps(event),
            }
        )

    def _rule_changed(self, before: Rule | None, after: Rule | None) -> None:
        if before is not None:
            self._indexes[_bus_of(before)].remove(key_of(before))
        if after is not None and after.is_enabled and after.pattern:
            self._indexes[_bus_of(after)].put(
                key_of(after), EventPattern(after.pattern, is_known=True)
            )

    def _archive_changed(self, before: Archive | None, after: Archive | None) -> None:
        if before is not None:
            key = ShelfKey(before.account, before.region, before.name)
            self._archives[before.source].pop(key, None)
        if after is not None:
            key = ShelfKey(after.account, after.region, after.name)
            pattern = EventPattern(after.pattern, is_known=True) if after.pattern else None
            self._archives[after.source][key] = (after, pattern)


def _matched(
    event: Event,
    rules: Mapping[ShelfKey, EventPattern],
    archives: Iterable[tuple[Archive, EventPattern | None]],
) -> Matched:
    return Matched(
        [key for key, pattern in rules.items() if pattern.matches(event)],
        [each for each, pattern in archives if pattern is None or pattern.matches(event)],
    )


def _left_on_disk(_waiting: Iterable[Waiting]) -> None:
    """Nobody sends yet."""


def _bus_of(rule: Rule) -> ShelfKey:
    return ShelfKey(rule.account, rule.region, rule.bus)


def _parcel(
    rule: Rule, target: Mapping[str, Any], event: Event, now: float, *, is_bus: bool
) -> Parcel:
    around = {
        "aws.events.rule-arn": rule.arn,
        "aws.events.rule-name": rule.name,
        "aws.events.event.ingestion-time": wire_time(now),
    }
    retry = target.get("RetryPolicy") or {}
    body = body_of(event, {} if is_bus else target, around)
    return Parcel(
        target["Arn"],
        body.decode(),
        rule.arn,
        _PRINCIPAL,
        now,
        target.get("RoleArn") or rule.role,
        {name: target[name] for name in _SETTINGS if target.get(name)},
        (target.get("DeadLetterConfig") or {}).get("Arn") or "",
        retry.get("MaximumRetryAttempts", RETRIES_DEFAULT),
        retry.get("MaximumEventAgeInSeconds", AGE_DEFAULT_S),
    )


def fresh_id() -> str:
    """The id of a new event."""
    return str(uuid.uuid4())
