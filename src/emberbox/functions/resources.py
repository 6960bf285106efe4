"""What hangs on functions or stands beside them: policies, URLs, configurations, mappings.

Puts the modules of these operations together.
"""

from collections.abc import Mapping

from emberbox.clock import Clock
from emberbox.functions.attaching import Attaching
from emberbox.functions.capacity import KIND as CAPACITY_PROVIDER
from emberbox.functions.capacity import Capacity
from emberbox.functions.claims import Claims
from emberbox.functions.code_signing import KIND as CODE_SIGNING
from emberbox.functions.code_signing import CodeSigning
from emberbox.functions.durable import Durable
from emberbox.functions.event_invoking import EventInvoking
from emberbox.functions.function_settings import FunctionSettings
from emberbox.functions.invoke_async import InvokingAsync
from emberbox.functions.mapping_settling import MappingSettling
from emberbox.functions.permissions import Permissions
from emberbox.functions.provisioning import Allocations, Provisioning, none_allocated
from emberbox.functions.sourcing import SourceCheck, Sourcing
from emberbox.functions.tagging import Tagged, tagged_mappings, tagged_resources
from emberbox.functions.url_configs import UrlConfigs, UrlIndex
from emberbox.model.attachment import Kind
from emberbox.model.limits import CONCURRENT_EXECUTIONS
from emberbox.model.mapping import SourceKind
from emberbox.model.request import Operation
from emberbox.storage.account_resources import AccountResourceStore
from emberbox.storage.attachments import AttachmentStore
from emberbox.storage.catalog import CatalogWriter
from emberbox.storage.managed import AttachedVersions
from emberbox.storage.mappings import MappingStore

_NO_CHECKS: Mapping[SourceKind, SourceCheck] = {}


class Resources:
    """The operations, and what other parts of the server look up.

    `mappings` and `urls` are for pollers and for who serves URLs; `invoking_async` waits to be told
    who keeps events. `polled` are the kinds of sources whose mappings somebody else brings to rest;
    `checks` look at sources before a mapping is made; `allocations` says what is provisioned now.
    """

    queries = ("attachments", "mappings", "account_resources")

    def __init__(
        self,
        writer: CatalogWriter,
        clock: Clock,
        *,
        polled: frozenset[SourceKind] = frozenset(),
        checks: Mapping[SourceKind, SourceCheck] = _NO_CHECKS,
        allocations: Allocations = none_allocated,
        concurrency_limit: int = CONCURRENT_EXECUTIONS,
    ) -> None:
        catalog = writer.catalog
        self._attachments = attachments = AttachmentStore(writer)
        self.mappings = MappingStore(writer.database)
        self._settling = MappingSettling(self.mappings, polled)
        self.urls = UrlIndex(catalog)

        def attaching(kind: Kind) -> Attaching:
            return Attaching(kind, attachments, catalog, clock)

        configs = AccountResourceStore(writer.database, CODE_SIGNING)
        providers = AccountResourceStore(writer.database, CAPACITY_PROVIDER)
        self.signing = CodeSigning(configs, attaching(Kind.CODE_SIGNING), catalog, clock)
        self.capacity = Capacity(providers, AttachedVersions(writer.database), clock)
        self.invoking_async = InvokingAsync(catalog)
        self.claims = Claims()
        self.tagged: Mapping[str, Tagged] = {
            "event-source-mapping": tagged_mappings(self.mappings),
            CODE_SIGNING: tagged_resources(configs),
            CAPACITY_PROVIDER: tagged_resources(providers),
        }
        settings = FunctionSettings(
            attaching(Kind.RECURSION),
            attaching(Kind.RUNTIME_MANAGEMENT),
            attaching(Kind.SCALING),
            catalog,
        )
        self.operations: Mapping[str, Operation] = {
            **Permissions(attaching(Kind.POLICY), catalog).operations,
            **Provisioning(
                attaching(Kind.PROVISIONED), catalog, allocations, concurrency_limit, self.claims
            ).operations,
            **EventInvoking(attaching(Kind.EVENT_INVOKE), catalog).operations,
            **UrlConfigs(attaching(Kind.URL), catalog, clock).operations,
            **Sourcing(self.mappings, catalog, self._settling, clock, checks).operations,
            **self.signing.operations,
            **self.capacity.operations,
            **settings.operations,
            **Durable(catalog).operations,
            **self.invoking_async.operations,
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
