"""Groups of traces on disk, and the tags of groups and rules, in the file of the traces."""

from collections.abc import Mapping
from json import dumps, loads
from typing import NamedTuple

from emberbox.storage.database import Transaction
from emberbox.storage.traces import Place, TraceStore


class TraceGroup(NamedTuple):
    """A group: the traces that fit its filter expression, all of them if that is empty."""

    name: str
    arn: str
    expression: str


class TraceGroups:
    """See the module."""

    def __init__(self, store: TraceStore) -> None:
        self._store = store

    async def all(self, place: Place) -> list[TraceGroup]:
        """The groups that customers have made, by name."""
        account, region = place
        database = await self._store.opened()
        rows = await database.read(lambda tx: tx.all("groups", account=account, region=region))
        return [TraceGroup(row["name"], row["arn"], row["expression"]) for row in rows]

    async def add(self, place: Place, group: TraceGroup, tags: Mapping[str, str]) -> bool:
        """Keep a new group and its tags; False if there is one of its name."""
        account, region = place

        def work(tx: Transaction) -> bool:
            is_new = tx.one("group_new", account=account, region=region, **group._asdict())
            if is_new is None:
                return False
            _put_tags(tx, place, group.arn, tags)
            return True

        return await (await self._store.opened()).write(work)

    async def change(self, place: Place, name: str, expression: str) -> None:
        """Give a group another expression."""
        account, region = place
        database = await self._store.opened()
        await database.write(
            lambda tx: tx.run(
                "group_change", account=account, region=region, name=name, expression=expression
            )
        )

    async def remove(self, place: Place, group: TraceGroup) -> None:
        """Forget a group and its tags."""
        account, region = place

        def work(tx: Transaction) -> None:
            tx.run("group_remove", account=account, region=region, name=group.name)
            tx.run("tags_remove", account=account, region=region, arn=group.arn)

        await (await self._store.opened()).write(work)

    # -- tags ---------------------------------------------------------------------------------

    async def tags(self, place: Place, arn: str) -> dict[str, str]:
        """The tags of a group or a rule."""
        database = await self._store.opened()
        return await database.read(lambda tx: _tags(tx, place, arn))

    async def retag(self, place: Place, arn: str, tags: Mapping[str, str]) -> None:
        """Let something have these tags and no others."""
        await (await self._store.opened()).write(lambda tx: _put_tags(tx, place, arn, tags))

    async def tag(
        self, place: Place, arn: str, more: Mapping[str, str], without: frozenset[str], limit: int
    ) -> bool:
        """Add tags and remove others; False, and nothing is changed, if it had too many then."""

        def work(tx: Transaction) -> bool:
            found = {**_tags(tx, place, arn), **more}
            kept = {key: value for key, value in found.items() if key not in without}
            if len(kept) > limit:
                return False
            _put_tags(tx, place, arn, kept)
            return True

        return await (await self._store.opened()).write(work)


def _tags(tx: Transaction, place: Place, arn: str) -> dict[str, str]:
    account, region = place
    row = tx.one("tags", account=account, region=region, arn=arn)
    found: dict[str, str] = {} if row is None else loads(row["tags"])
    return found


def _put_tags(tx: Transaction, place: Place, arn: str, tags: Mapping[str, str]) -> None:
    account, region = place
    if tags:
        tx.run("tags_put", account=account, region=region, arn=arn, tags=dumps(tags))
    else:
        tx.run("tags_remove", account=account, region=region, arn=arn)
