"""What is to be told of objects: recorded with the change that it tells of, removed when told."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from emberbox.records import dataclass
from emberbox.storage.database import Database, Transaction
from emberbox.storage.s3_records import Bucket, ObjectVersion

NOTICE: Final = "s3-notice"
"""The kind of change that says that there is something to tell."""


class Notice(NamedTuple):
    """Something to be told: to which target, and what. `trace` is that of the request."""

    target: str
    body: str
    trace: str = ""


Notices = Callable[[Bucket, ObjectVersion], Iterable[Notice]]
"""What is told of a version that was made or removed."""


@dataclass(frozen=True, slots=True)
class StoredNotice:
    """A notice that waits; `attempts` is how often it was tried.

    `bucket` is as it was when the notice was recorded, without its settings; its account is empty
    in notices of an older server.
    """

    number: int
    bucket: Bucket
    notice: Notice
    attempts: int


def note(tx: Transaction, bucket: Bucket, notices: Iterable[Notice]) -> None:
    """Record what is to be told, in the transaction that it tells of."""
    for each in notices:
        tx.run(
            "notice_add",
            bucket=bucket.name,
            account=bucket.account,
            region=bucket.region,
            due=0.0,
            **each._asdict(),
        )
        tx.changed(NOTICE)


class NoticeStore:
    """See the module."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def due(self, now: float, limit: int) -> tuple[Sequence[StoredNotice], float | None]:
        """Notices that are due, oldest first; without any, when the next one is."""

        def work(tx: Transaction) -> tuple[Sequence[StoredNotice], float | None]:
            rows = tx.all("notices_due", now=now, limit=limit)
            if rows:
                return [
                    StoredNotice(
                        row["id"],
                        Bucket(0, row["bucket"], row["account"], row["region"], 0.0),
                        Notice(row["target"], row["body"], row["trace"]),
                        row["attempts"],
                    )
                    for row in rows
                ], None
            following = tx.one("notice_next")
            return [], None if following is None else following["due"]

        return await self._database.read(work)

    async def told(self, numbers: Sequence[int]) -> None:
        """These are told, or given up."""

        def work(tx: Transaction) -> None:
            tx.run_many("notice_remove", ({"id": number} for number in numbers))

        await self._database.write(work)

    async def again(self, number: int, due: float) -> None:
        """This one is to be tried again."""

        def work(tx: Transaction) -> None:
            tx.run("notice_again", id=number, due=due)

        await self._database.write(work)
