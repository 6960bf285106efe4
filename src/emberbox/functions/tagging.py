"""ListTags, TagResource, UntagResource."""

import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Final

from emberbox.functions.absent import no_such_resource
from emberbox.functions.references import Target, tagged
from emberbox.model.configuration import check_tag_keys, check_tags, invalid
from emberbox.model.function import FunctionVersion
from emberbox.model.mapping import EventSourceMapping
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.records import dataclass
from emberbox.storage.account_resources import (
    AccountResource,
    AccountResourceStore,
)
from emberbox.storage.functions import FunctionMissingError, FunctionStore
from emberbox.storage.mappings import MappingStore

Tags = Mapping[str, str]
Change = Callable[[Tags], Tags]

_ARN: Final = re.compile(
    r"arn:aws[a-zA-Z-]*:lambda:(?P<region>[^:]+):(?P<account>\d{12}):(?P<kind>[^:]+):(?P<name>.+)"
)


@dataclass(frozen=True, slots=True)
class Tagged:
    """What has tags: a name in an account and region, and how its tags are read and changed.

    `read` gives None if there is no such thing, `change` raises LookupError then.
    """

    read: Callable[[str, str, str], Awaitable[Tags | None]]
    change: Callable[[str, str, str, Change], Awaitable[None]]


class Tagging:
    """Tags of functions and of what else has an ARN; `others` by the kind in that ARN.

    A change of a function's tags makes a new revision, but is no update.
    """

    def __init__(self, store: FunctionStore, others: Mapping[str, Tagged]) -> None:
        self._store = store
        self._others = others

    @property
    def operations(self) -> dict[str, Operation]:
        """By their names in the model."""
        return {
            "ListTags": self.list_tags,
            "TagResource": self.tag_resource,
            "UntagResource": self.untag_resource,
        }

    async def list_tags(self, context: RequestContext, params: Params) -> Params:
        """All tags of a resource."""
        other = self._other(context, params["Resource"])
        if other is not None:
            thing, where = other
            tags = await thing.read(*where)
            if tags is None:
                raise no_such_resource()
            return {"Tags": dict(tags)}
        target = tagged(context, params)
        function = await self._store.get(target.key)
        if function is None:
            raise target.missing()
        return {"Tags": dict(function.tags)}

    async def tag_resource(self, context: RequestContext, params: Params) -> Params:
        """Add tags, or give them new values."""
        added = dict(params["Tags"])
        if not added:
            raise invalid("An error occurred and the request cannot be processed.")
        check_tag_keys(added)
        await self._change(context, params, lambda tags: {**tags, **added})
        return {}

    async def untag_resource(self, context: RequestContext, params: Params) -> Params:
        """Remove tags; those that are not there do no harm."""
        gone = frozenset(params["TagKeys"])
        check_tag_keys(gone)
        await self._change(
            context,
            params,
            lambda tags: {key: value for key, value in tags.items() if key not in gone},
        )
        return {}

    async def _change(self, context: RequestContext, params: Params, change: Change) -> None:
        def checked(before: Tags) -> Tags:
            after = change(before)
            check_tags(after)
            return after

        other = self._other(context, params["Resource"])
        if other is None:
            await self._change_function(tagged(context, params), checked)
            return
        thing, where = other
        try:
            await thing.change(*where, checked)
        except LookupError:
            raise no_such_resource() from None

    async def _change_function(self, target: Target, change: Change) -> None:
        revision_id = str(uuid.uuid4())

        def work(before: FunctionVersion) -> FunctionVersion:
            return replace(before, tags=change(before.tags), revision_id=revision_id)

        try:
            await self._store.update(target.key, work)
        except FunctionMissingError:
            raise target.missing() from None

    def _other(
        self, context: RequestContext, arn: str
    ) -> tuple[Tagged, tuple[str, str, str]] | None:
        """What is no function and has tags; None for a function, CallerError for neither."""
        found = _ARN.fullmatch(arn)
        if found is None or found["kind"] == "function":
            return None
        thing = self._others.get(found["kind"])
        here = (found["account"], found["region"]) == (context.account, context.region)
        if thing is None or not here:
            raise no_such_resource()
        return thing, (context.account, context.region, found["name"])


def tagged_mappings(store: MappingStore) -> Tagged:
    """Event source mappings as things that have tags."""

    async def read(account: str, region: str, uuid_: str) -> Tags | None:
        mapping = store.get((account, region, uuid_))
        return None if mapping is None else mapping.tags

    async def change(account: str, region: str, uuid_: str, alter: Change) -> None:
        def work(before: EventSourceMapping) -> EventSourceMapping:
            return replace(before, tags=alter(before.tags))

        await store.update((account, region, uuid_), work)

    return Tagged(read, change)


def tagged_resources(store: AccountResourceStore) -> Tagged:
    """What belongs to an account as things that have tags."""

    async def read(account: str, region: str, name: str) -> Tags | None:
        resource = await store.get(account, region, name)
        return None if resource is None else resource.tags

    async def change(account: str, region: str, name: str, alter: Change) -> None:
        def work(before: AccountResource) -> AccountResource:
            return replace(before, tags=alter(before.tags))

        await store.update(account, region, name, work)

    return Tagged(read, change)
