"""Receiving messages: which are next, dead letters put aside, receipts made out.

A piece of work in a transaction of the queues' database. Times are ms since the epoch.
"""

import sqlite3
from collections.abc import Iterator
from json import dumps, loads
from typing import NamedTuple

from emberbox.model.fair_share import fair_shares
from emberbox.records import dataclass
from emberbox.storage.database import Transaction
from emberbox.storage.queue_groups import next_ms, regroup
from emberbox.storage.queue_records import Queue, Received, received_of

_ROUNDS = 8
_GROUPS = 64
_NOISY = 200


@dataclass(frozen=True, slots=True)
class Wish:
    """What a receiver asks for. `dead_letters` is where messages go that came too often."""

    limit: int
    visibility_ms: int
    dead_letters: Queue | None = None
    attempt_id: str | None = None


class Batch(NamedTuple):
    """What was received; how many old and dead ones were put aside; when there may be more.

    `next_ms` is looked up only if nothing was received, and None if there is nothing to wait for.
    """

    messages: list[Received]
    put_aside: int
    next_ms: int | None


def receive(queue: Queue, wish: Wish, now_ms: int, tx: Transaction) -> Batch:
    """Hand out at most as many messages as asked for, which are invisible from then on."""
    if wish.attempt_id is not None and queue.settings.is_fifo:
        again = _again(tx, queue, wish, now_ms)
        if again:
            return Batch(again, 0, None)
    messages, put_aside = _new(tx, queue, wish, now_ms)
    if wish.attempt_id is not None and queue.settings.is_fifo and messages:
        tx.run(
            "attempt_add",
            queue_id=queue.id,
            attempt_id=wish.attempt_id,
            until_ms=now_ms + 300_000,
            received=dumps([(m.id, m.receives) for m in messages]),
        )
    return Batch(messages, put_aside, None if messages else next_ms(tx, queue))


def _new(tx: Transaction, queue: Queue, wish: Wish, now_ms: int) -> tuple[list[Received], int]:
    """Messages, and how many were put aside; another look only if some were."""
    messages: list[Received] = []
    handed_out: set[int] = set()
    put_aside_in_all = 0
    for _ in range(_ROUNDS):
        found = next_rows(tx, queue, wish.limit - len(messages), now_ms)
        rows = [row for row in found if row["id"] not in handed_out]
        put_aside = 0
        for row in rows:
            if _put_aside(tx, queue, wish, row, now_ms):
                put_aside += 1
            else:
                messages.append(_hand_out(tx, row, wish.visibility_ms, now_ms))
                handed_out.add(row["id"])
        for group in {row["group_id"] for row in rows} - {""}:
            regroup(tx, queue, group)
        put_aside_in_all += put_aside
        if not put_aside or len(messages) >= wish.limit:
            break
    return messages, put_aside_in_all


def _put_aside(tx: Transaction, queue: Queue, wish: Wish, row: sqlite3.Row, now_ms: int) -> bool:
    """Remove a message that is too old, bury one that came too often; whether it was either."""
    if row["sent_ms"] <= now_ms - queue.settings.retention_s * 1_000:
        tx.run("message_remove", id=row["id"])
        tx.run("message_contents_remove", id=row["id"])
        return True
    if not _is_dead(queue, wish, row):
        return False
    _bury(tx, queue, wish, row, now_ms)
    return True


def next_rows(tx: Transaction, queue: Queue, limit: int, now_ms: int) -> list[sqlite3.Row]:
    """The messages that are to be received next, as they are."""
    groups = tx.all("groups_ready", queue_id=queue.id, now_ms=now_ms, limit=_GROUPS)
    names = [row["group_id"] for row in groups]
    if queue.settings.is_fifo:
        return _next_in_order(tx, queue, names, limit, now_ms)
    if not names:
        return _visible(tx, queue, "", limit, now_ms)
    return _next_fair(tx, queue, names, limit, now_ms)


def _visible(
    tx: Transaction, queue: Queue, group_id: str, limit: int, now_ms: int
) -> list[sqlite3.Row]:
    return tx.all(
        "messages_visible", queue_id=queue.id, group_id=group_id, now_ms=now_ms, limit=limit
    )


def _next_in_order(
    tx: Transaction, queue: Queue, groups: list[str], limit: int, now_ms: int
) -> list[sqlite3.Row]:
    """As many of one group as there are, then of the next; a group stops where one is delayed."""
    found: list[sqlite3.Row] = []
    for group in groups:
        rows = tx.all(
            "messages_first_of_group",
            queue_id=queue.id,
            group_id=group,
            limit=limit - len(found),
        )
        for row in rows:
            if row["visible_ms"] > now_ms:
                break
            found.append(row)
        if len(found) >= limit:
            break
    return found


def _next_fair(
    tx: Transaction, queue: Queue, groups: list[str], limit: int, now_ms: int
) -> list[sqlite3.Row]:
    in_flight = {group: _in_flight(tx, queue, group, now_ms) for group in groups}
    quiet = sorted(groups, key=in_flight.__getitem__)[:limit]
    ready = {group: _visible(tx, queue, group, limit, now_ms) for group in [*quiet, ""]}
    rows: dict[str, Iterator[sqlite3.Row]] = {group: iter(found) for group, found in ready.items()}
    counts = {group: len(found) for group, found in ready.items()}
    return [next(rows[group]) for group in fair_shares(in_flight, counts, limit)]


def _in_flight(tx: Transaction, queue: Queue, group: str, now_ms: int) -> int:
    row = tx.one("group_in_flight", queue_id=queue.id, group_id=group, now_ms=now_ms, limit=_NOISY)
    return 0 if row is None else int(row["messages"])


def _is_dead(queue: Queue, wish: Wish, row: sqlite3.Row) -> bool:
    redrive = queue.settings.redrive
    if redrive is None or wish.dead_letters is None:
        return False
    return bool(row["receives"] - row["receives_before"] >= redrive.max_receives)


def _bury(tx: Transaction, queue: Queue, wish: Wish, row: sqlite3.Row, now_ms: int) -> None:
    """Move a message into the dead-letter queue; in a standard one its age goes on."""
    target = wish.dead_letters
    assert target is not None
    sent_ms = now_ms if target.settings.is_fifo else row["sent_ms"]
    tx.run(
        "message_bury",
        id=row["id"],
        queue_id=target.id,
        now_ms=now_ms,
        sent_ms=sent_ms,
        came_from=queue.key.arn,
    )
    if row["group_id"]:
        regroup(tx, target, row["group_id"])


def _hand_out(tx: Transaction, row: sqlite3.Row, visibility_ms: int, now_ms: int) -> Received:
    visible_ms = now_ms + visibility_ms
    after = tx.one("message_receive", id=row["id"], visible_ms=visible_ms, now_ms=now_ms)
    contents = tx.one("message_contents", id=row["id"])
    assert after is not None
    assert contents is not None
    return received_of(after, contents)


def _again(tx: Transaction, queue: Queue, wish: Wish, now_ms: int) -> list[Received]:
    """What the same attempt has received before, if all of it is still in flight as it was."""
    attempt = tx.one("attempt", queue_id=queue.id, attempt_id=wish.attempt_id, now_ms=now_ms)
    if attempt is None:
        return []
    rows = []
    for message_id, receives in loads(attempt["received"]):
        row = tx.one("message", id=message_id)
        is_same = row is not None and (row["queue_id"], row["receives"]) == (queue.id, receives)
        if row is None or not is_same or row["visible_ms"] <= now_ms:
            return []
        rows.append(row)
    messages = []
    for row in rows:
        tx.run("message_see", id=row["id"], visible_ms=now_ms + wish.visibility_ms)
        contents = tx.one("message_contents", id=row["id"])
        assert contents is not None
        messages.append(received_of(row, contents))
    for group in {row["group_id"] for row in rows}:
        regroup(tx, queue, group)
    return messages
