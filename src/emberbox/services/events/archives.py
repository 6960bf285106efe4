"""Archives of buses."""

from dataclasses import replace
from typing import Any

from emberbox.clock import Clock
from emberbox.errors import CallerError
from emberbox.model.event_bus import Archive, invalid, not_found
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.services.events.naming import Buses, bus_key_of, mine, page, present, stamp, unbuilt
from emberbox.services.events.rules import check_pattern
from emberbox.storage.database import Database, Transaction
from emberbox.storage.shelf import Shelf, ShelfKey

_DAY_S = 86_400
_FOREVER = 1e12


class ArchiveOperations:
    """What is done to archives."""

    def __init__(
        self, database: Database, buses: Buses, archives: Shelf[Archive], clock: Clock
    ) -> None:
        self._database = database
        self._buses = buses
        self._archives = archives
        self._clock = clock

    @property
    def operations(self) -> dict[str, Operation]:
        """By their names in the model."""
        return {
            "CreateArchive": self.create_archive,
            "DeleteArchive": self.delete_archive,
            "DescribeArchive": self.describe_archive,
            "ListArchives": self.list_archives,
            "UpdateArchive": self.update_archive,
        }

    async def create_archive(self, context: RequestContext, params: Params) -> Params:
        """Begin to keep the events of a bus."""
        unbuilt(params, "KmsKeyIdentifier")
        bus = bus_key_of(params["EventSourceArn"])
        if bus is None or bus.account != context.account or self._buses.at(bus) is None:
            raise not_found(f"Event bus {params['EventSourceArn']} does not exist.")
        check_pattern(params.get("EventPattern") or "")
        name = params["ArchiveName"]
        fresh = Archive(
            context.account,
            context.region,
            name,
            params["EventSourceArn"],
            self._clock.now(),
            params.get("Description") or "",
            params.get("EventPattern") or "",
            params.get("RetentionDays") or 0,
        )

        key = _key(context, name)
        if self._archives.get(key) is None:
            # What a server that was killed has left of a former archive of this name.
            await self._forget(key, _FOREVER)

        def alter(found: Archive | None) -> Archive:
            if found is not None:
                raise CallerError(
                    "ResourceAlreadyExistsException", f"Archive {name} already exists.", status=400
                )
            return fresh

        return _changed(await self._archives.put(key, alter))

    async def update_archive(self, context: RequestContext, params: Params) -> Params:
        """Change what is kept, and for how long."""
        unbuilt(params, "KmsKeyIdentifier")
        found = self._found(context, params["ArchiveName"])
        check_pattern(params.get("EventPattern") or "")
        changes: dict[str, Any] = {
            member: params[wire]
            for member, wire in (
                ("description", "Description"),
                ("pattern", "EventPattern"),
                ("days", "RetentionDays"),
            )
            if wire in params
        }
        key = _key(context, found.name)
        return _changed(await self._archives.put(key, lambda old: replace(old or found, **changes)))

    async def delete_archive(self, context: RequestContext, params: Params) -> Params:
        """Remove an archive and its events."""
        key = _key(context, self._found(context, params["ArchiveName"]).name)
        await self._archives.remove(key)
        await self._forget(key, _FOREVER)
        return {}

    async def describe_archive(self, context: RequestContext, params: Params) -> Params:
        """One archive, with the number and size of its events."""
        found = self._found(context, params["ArchiveName"])
        return present({"ArchiveArn": found.arn, "EventPattern": found.pattern}) | (
            await self._shown(found) | present({"Description": found.description})
        )

    async def list_archives(self, context: RequestContext, params: Params) -> Params:
        """The archives of the caller's account."""
        source = params.get("EventSourceArn")
        found = [
            each
            for each in mine(self._archives, context, params.get("NamePrefix"))
            if source in (None, each.source)
        ]
        answer = page(found, params, "Archives", lambda each: each)
        answer["Archives"] = [await self._shown(each) for each in answer["Archives"]]
        return answer

    async def expire(self) -> None:
        """Remove events that are older than their archive keeps them."""
        for archive in self._archives.mirror:
            if archive.days:
                key = ShelfKey(archive.account, archive.region, archive.name)
                await self._forget(key, self._clock.now() - archive.days * _DAY_S)

    async def _forget(self, key: ShelfKey, before: float) -> None:
        where = {"account": key.account, "region": key.region, "archive": key.name}

        def work(tx: Transaction) -> int:
            return tx.run("archived_forget", **where, before=before)

        while await self._database.write(work):
            pass

    def _found(self, context: RequestContext, name: str) -> Archive:
        found = self._archives.get(_key(context, name))
        if found is None:
            raise not_found(f"Archive {name} does not exist.")
        return found

    async def _shown(self, archive: Archive) -> Params:
        where = {
            "account": archive.account,
            "region": archive.region,
            "archive": archive.name,
        }
        size = await self._database.read(lambda tx: tx.all("archived_size", **where)[0])
        return {
            "ArchiveName": archive.name,
            "EventSourceArn": archive.source,
            "State": "ENABLED",
            "RetentionDays": archive.days,
            "SizeBytes": size["bytes"],
            "EventCount": size["events"],
            "CreationTime": stamp(archive.created),
        }


def _changed(archive: Archive) -> Params:
    return {
        "ArchiveArn": archive.arn,
        "State": "ENABLED",
        "CreationTime": stamp(archive.created),
    }


def _key(context: RequestContext, name: str) -> ShelfKey:
    if not name:
        raise invalid("Parameter ArchiveName is not valid.")
    return ShelfKey(context.account, context.region, name)
