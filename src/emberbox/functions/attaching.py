"""What operations on a per-function resource with a qualifier have in common.

Such a resource hangs on a function (then on its `$LATEST`), on a version or on an alias.
"""

from collections.abc import Callable, Mapping
from typing import Any

from emberbox.clock import Clock
from emberbox.errors import CallerError
from emberbox.functions.pages import page_of
from emberbox.functions.references import Target
from emberbox.model.attachment import Attachment, Kind
from emberbox.model.names import LATEST
from emberbox.model.request import Params
from emberbox.storage.attachments import AttachmentStore, QualifierMissingError, Revision
from emberbox.storage.catalog import FunctionCatalog

Change = Callable[[Mapping[str, Any] | None], Mapping[str, Any] | None]
"""From a resource's value to the next; None stands for no such resource. Must be pure."""


class Attaching:
    """The resources of one kind."""

    def __init__(
        self, kind: Kind, store: AttachmentStore, catalog: FunctionCatalog, clock: Clock
    ) -> None:
        self._kind = kind
        self._store = store
        self._catalog = catalog
        self._clock = clock

    def get(self, target: Target) -> Attachment | None:
        """The resource of what a request means, or None."""
        return self._catalog.attachment(target.key, self._kind, qualifier_of(target))

    async def change(
        self,
        target: Target,
        change: Change,
        missing: CallerError | None = None,
        *,
        revision: Revision | None = None,
    ) -> Attachment:
        """Make, replace or remove the resource; `missing` is raised if what it hangs on is gone.

        The answer is the new resource, or what was removed with an empty value. RevisionError if
        the revision is not the one that is expected.
        """
        now = self._clock.now()
        qualifier = qualifier_of(target)

        def alter(before: Attachment | None) -> Attachment | None:
            value = change(None if before is None else before.value)
            return None if value is None else Attachment(self._kind, qualifier, value, now)

        try:
            after = await self._store.alter(target.key, self._kind, qualifier, alter, revision)
        except QualifierMissingError:
            raise missing or target.missing() from None
        return after or Attachment(self._kind, qualifier, {}, now)

    def page(
        self, target: Target, params: Params, member: str, show: Callable[[Attachment], Params]
    ) -> Params:
        """A page of a function's resources, by qualifier."""
        things = self._catalog.attachments(target.key, self._kind)
        return page_of(member, things, params, lambda each: each.qualifier, show)


def qualifier_of(target: Target) -> str:
    """What the resource hangs on."""
    return target.qualifier or LATEST
