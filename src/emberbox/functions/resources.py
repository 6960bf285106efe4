"""What hangs on functions or stands beside them: policies, URLs, configurations, mappings.

Puts the modules of these operations together.
"""

from collections.abc import Mapping

from emberbox.clock import Clock
from emberbox.functions.attaching import Attaching
from emberbox.functions.event_invoking import EventInvoking
from emberbox.functions.mapping_settling import MappingSettling
from emberbox.functions.sourcing import SourceCheck, Sourcing
from emberbox.functions.url_configs import UrlConfigs, UrlIndex
from emberbox.model.attachment import Kind
from emberbox.model.mapping import SourceKind
from emberbox.model.request import Operation
from emberbox.storage.attachments import AttachmentStore
from emberbox.storage.catalog import CatalogWriter
from emberbox.storage.mappings import MappingStore

_NO_CHECKS: Mapping[SourceKind, SourceCheck] = {}


class Resources:
    """The operations, and what other parts of the server look up.

    `mappings` and `urls` are for pollers and for who serves URLs. `polled` are the kinds of sources
    whose mappings somebody else brings to rest; `checks` look at sources before a mapping is made.
    """

    def __init__(
        self,
        writer: CatalogWriter,
        clock: Clock,
        *,
        polled: frozenset[SourceKind] = frozenset(),
        checks: Mapping[SourceKind, SourceCheck] = _NO_CHECKS,
    ) -> None:
        catalog = writer.catalog
        self._attachments = attachments = AttachmentStore(writer)
        self.mappings = MappingStore(writer.database)
        self._settling = MappingSettling(self.mappings, polled)
        self.urls = UrlIndex(catalog)

        def attaching(kind: Kind) -> Attaching:
            return Attaching(kind, attachments, catalog, clock)

        self.operations: Mapping[str, Operation] = {
            **EventInvoking(attaching(Kind.EVENT_INVOKE), catalog).operations,
            **UrlConfigs(attaching(Kind.URL), catalog, clock).operations,
            **Sourcing(self.mappings, catalog, self._settling, clock, checks).operations,
        }

    async def load(self) -> None:
        """Read everything; after the functions, before the first write."""
        await self._attachments.load()
        await self.mappings.load()

    async def recover(self) -> None:
        """Finish what a server that died has begun."""
        await self._settling.settle_all()

    async def close(self) -> None:
        """Let what has been begun come to its end."""
        await self._settling.close()
