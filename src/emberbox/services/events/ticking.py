"""Scheduled rules: one timer for all of them, over their next moments on disk."""

import logging
import sqlite3
from typing import Final

from emberbox.clock import Clock
from emberbox.model.event_bus import Rule, scheduled_event
from emberbox.rounds import Rounds, Trouble
from emberbox.services.events.routing import Outcome, Router, fresh_id
from emberbox.services.events.rules import next_due
from emberbox.storage.database import Database, Transaction
from emberbox.storage.outbox import Waiting
from emberbox.storage.shelf import Shelf, ShelfKey

log = logging.getLogger("emberbox.events")

_AT_ONCE: Final = 100


class RuleClock:
    """Triggers rules when they are due. A moment that passed while no server ran is made up once.

    The next moment is moved on in the commit that promises what follows from this one.
    """

    def __init__(
        self, database: Database, rules: Shelf[Rule], router: Router, clock: Clock
    ) -> None:
        self._database = database
        self._rules = rules
        self._router = router
        self._clock = clock
        self._rounds = Rounds(self.round, clock, Trouble(log, "scheduled rules cannot be run"))
        rules.mirror.listeners.append(self._rule_changed)

    def open(self) -> None:
        """Begin."""
        self._rounds.open()

    async def close(self) -> None:
        """Stop."""
        await self._rounds.close()

    def poke(self) -> None:
        """Look again: a rule has changed, or the clock of a test has moved."""
        self._rounds.soon()

    def _rule_changed(self, before: Rule | None, after: Rule | None) -> None:
        if (before is not None and before.schedule) or (after is not None and after.schedule):
            self.poke()

    async def round(self) -> float | None:
        """Trigger what is due; when the next is."""
        while True:
            now = self._clock.now()
            due = await self._due(now)
            for row in due:
                key = ShelfKey(row["account"], row["region"], row["name"])
                await self._one(key, row["next"], now)
            if not due:
                break
        rows = await self._database.read(lambda tx: tx.all("clocks_next"))
        return float(rows[0]["next"]) if rows else None

    async def _due(self, now: float) -> list[sqlite3.Row]:
        return await self._database.read(lambda tx: tx.all("clocks_due", now=now, limit=_AT_ONCE))

    async def _one(self, key: ShelfKey, moment: float, now: float) -> None:
        rule = self._rules.get(key)
        outcome = Outcome()
        following = None
        if rule is not None and rule.is_enabled:
            following = next_due(rule, max(now, moment))
            event = scheduled_event(rule, fresh_id(), moment)
            self._router.trigger(rule, event, outcome)

        def work(tx: Transaction) -> list[Waiting]:
            if not tx.run("clock_take", **key._asdict(), next=moment):
                return []
            if following is not None:
                tx.run("clock_put", **key._asdict(), next=following)
            return outcome.commit(tx, now)

        self._router.take(await self._database.write(work))
