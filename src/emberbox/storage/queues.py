"""Queues in their database, and all of them at hand in memory.

Messages are in `emberbox.storage.queue_messages`.
"""

from collections.abc import Callable, Mapping
from json import dumps

from emberbox.storage.database import Database, Transaction
from emberbox.storage.queue_records import MissingQueueError, Queue, QueueKey, queue_of

_FOR_EVER = (1 << 63) - 1

Listener = Callable[[Queue | None, Queue | None], None]
"""Hears of a queue before and after a change; None where there is none."""


class QueueStore:
    """All queues. What it answers has been committed; `load` once before use."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queues: dict[QueueKey, Queue] = {}
        self.listeners: list[Listener] = []

    async def load(self) -> None:
        """Read all queues."""
        rows = await self._database.read(lambda tx: tx.all("queues"))
        self._queues = {queue.key: queue for queue in map(queue_of, rows)}

    def get(self, key: QueueKey) -> Queue | None:
        """The queue of this name, if there is one."""
        return self._queues.get(key)

    def at(self, key: QueueKey) -> Queue:
        """The queue of this name, or MissingQueueError."""
        found = self._queues.get(key)
        if found is None:
            raise MissingQueueError(key.name)
        return found

    def all(self) -> list[Queue]:
        """All queues there are."""
        return list(self._queues.values())

    def of(self, account: str, region: str) -> list[Queue]:
        """The queues of an account in a region, by name."""
        mine = [q for q in self._queues.values() if q.key[:2] == (account, region)]
        return sorted(mine, key=lambda queue: queue.key.name)

    async def create(
        self, key: QueueKey, attributes: Mapping[str, str], tags: Mapping[str, str], now_s: int
    ) -> Queue:
        """The queue that is there after this: the new one, or the one that was there already."""

        def work(tx: Transaction) -> Queue | None:
            row = tx.one(
                "queue_add",
                account=key.account,
                region=key.region,
                name=key.name,
                now_s=now_s,
                attributes=dumps(dict(attributes)),
                tags=dumps(dict(tags)),
            )
            return None if row is None else queue_of(row)

        made = await self._database.write(work)
        return self.at(key) if made is None else self._replace(None, made)

    async def change(
        self,
        queue: Queue,
        now_s: int,
        *,
        attributes: Callable[[Mapping[str, str]], Mapping[str, str]] = dict,
        tags: Callable[[Mapping[str, str]], Mapping[str, str]] = dict,
    ) -> Queue:
        """Change attributes and tags by functions from the present ones to the new."""

        def work(tx: Transaction) -> tuple[Queue, Queue]:
            before = _present(tx, queue)
            row = tx.one(
                "queue_change",
                id=queue.id,
                attributes=dumps(dict(attributes(before.attributes))),
                tags=dumps(dict(tags(before.tags))),
                modified_s=now_s,
            )
            if row is None:
                raise MissingQueueError(queue.key.name)
            return before, queue_of(row)

        return self._replace(*await self._database.write(work))

    async def delete(self, queue: Queue) -> None:
        """Remove a queue; its messages go with the next sweeps."""

        def work(tx: Transaction) -> None:
            _present(tx, queue)
            tx.run("queue_remove", id=queue.id)
            tx.run("queue_remains_add", queue_id=queue.id, sent_ms=_FOR_EVER)
            for query in ("groups", "duplicates", "attempts"):
                tx.run(f"queue_{query}_remove", queue_id=queue.id)

        await self._database.write(work)
        if self._queues.get(queue.key) is not None and self._queues[queue.key].id == queue.id:
            del self._queues[queue.key]
        self._announce(queue, None)

    async def purge(self, queue: Queue, now_ms: int) -> None:
        """Doom all messages that a queue has now; they go with the next sweeps."""

        def work(tx: Transaction) -> tuple[Queue, Queue]:
            before = _present(tx, queue)
            row = tx.one("queue_purged", id=queue.id, now_ms=now_ms)
            tx.run("queue_remains_add", queue_id=queue.id, sent_ms=now_ms)
            if row is None:
                raise MissingQueueError(queue.key.name)
            return before, queue_of(row)

        self._replace(*await self._database.write(work))

    def _replace(self, before: Queue | None, after: Queue) -> Queue:
        self._queues[after.key] = after
        self._announce(before, after)
        return after

    def _announce(self, before: Queue | None, after: Queue | None) -> None:
        for listener in self.listeners:
            listener(before, after)


def _present(tx: Transaction, queue: Queue) -> Queue:
    row = tx.one("queue", id=queue.id)
    if row is None:
        raise MissingQueueError(queue.key.name)
    return queue_of(row)
