"""ListTags, TagResource, UntagResource."""

import uuid
from collections.abc import Callable
from dataclasses import replace

from emberbox.functions.references import Target, tagged
from emberbox.model.configuration import check_tag_keys, check_tags
from emberbox.model.function import FunctionVersion
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.storage.functions import FunctionMissingError, FunctionStore

Tags = dict[str, str]


class Tagging:
    """Tags of functions. A change of them makes a new revision, but is no update."""

    def __init__(self, store: FunctionStore) -> None:
        self._store = store

    @property
    def operations(self) -> dict[str, Operation]:
        """By their names in the model."""
        return {
            "ListTags": self.list_tags,
            "TagResource": self.tag_resource,
            "UntagResource": self.untag_resource,
        }

    async def list_tags(self, context: RequestContext, params: Params) -> Params:
        """All tags of a function."""
        target = tagged(context, params)
        function = await self._store.get(target.key)
        if function is None:
            raise target.missing()
        return {"Tags": dict(function.tags)}

    async def tag_resource(self, context: RequestContext, params: Params) -> Params:
        """Add tags, or give them new values."""
        added = dict(params["Tags"])
        check_tag_keys(added)
        await self._alter(tagged(context, params), lambda tags: {**tags, **added})
        return {}

    async def untag_resource(self, context: RequestContext, params: Params) -> Params:
        """Remove tags; those that are not there do no harm."""
        gone = frozenset(params["TagKeys"])
        check_tag_keys(gone)
        await self._alter(
            tagged(context, params),
            lambda tags: {key: value for key, value in tags.items() if key not in gone},
        )
        return {}

    async def _alter(self, target: Target, change: Callable[[Tags], Tags]) -> None:
        revision_id = str(uuid.uuid4())

        def work(before: FunctionVersion) -> FunctionVersion:
            tags = change(dict(before.tags))
            check_tags(tags)
            return replace(before, tags=tags, revision_id=revision_id)

        try:
            await self._store.update(target.key, work)
        except FunctionMissingError:
            raise target.missing() from None
