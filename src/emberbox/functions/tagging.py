"""ListTags, TagResource, UntagResource."""

import uuid
from dataclasses import replace

from emberbox.functions.references import Target, resource_key
from emberbox.model.configuration import check_tag_keys, check_tags
from emberbox.model.function import FunctionVersion
from emberbox.model.request import Operation, Params, Reply, RequestContext
from emberbox.storage.functions import FunctionMissingError, FunctionStore


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
        target = resource_target(context, params)
