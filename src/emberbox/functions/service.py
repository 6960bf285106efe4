"""The control plane of the service `lambda`, put together from its groups of operations."""

import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from emberbox.clock import Clock
from emberbox.errors import PlatformError
from emberbox.functions.across_accounts import AcrossAccounts
from emberbox.functions.aliasing import Aliasing
from emberbox.functions.changing import Changing
from emberbox.functions.code import Blobs, CodeSource, NoBuckets
from emberbox.functions.concurrency import Concurrency
from emberbox.functions.downloads import CodeDownloads
from emberbox.functions.file_systems import AccessPoints
from emberbox.functions.hot_reload import HotDirectories
from emberbox.functions.idling import Idling
from emberbox.functions.layer_policies import LayerPolicies
from emberbox.functions.layer_use import LayerUse
from emberbox.functions.layering import Layering
from emberbox.functions.packaging import Packaging
from emberbox.functions.provisioning import Allocations, none_allocated
from emberbox.functions.reading import Reading
from emberbox.functions.resources import Resources
from emberbox.functions.role_rights import RoleRights
from emberbox.functions.roles import RoleLookup
from emberbox.functions.settling import Optimize, Settling
from emberbox.functions.sourcing import SourceCheck
from emberbox.functions.tagging import Tagging
from emberbox.functions.versioning import Versioning
from emberbox.model.function import FunctionVersion
from emberbox.model.limits import TIMEOUT_MAX_S
from emberbox.model.mapping import SourceKind
from emberbox.model.request import Operation
from emberbox.sources.rights import Rights
from emberbox.storage.aliases import AliasStore
from emberbox.storage.catalog import CatalogWriter
from emberbox.storage.concurrency import ConcurrencyStore
from emberbox.storage.functions import FunctionStore
from emberbox.storage.layers import LayerStore
from emberbox.storage.packages import PackageStore

log = logging.getLogger("emberbox.functions")

_NO_CHECKS: Mapping[SourceKind, SourceCheck] = {}


class FunctionsService:
    """Functions as resources; Invoke is not among the operations.

    `secret` signs links to code. `roles` None means that execution roles are not looked up,
    `rights` None that they may do anything, `blobs` None that there are no buckets. `checks` look
    at the sources of mappings, for all kinds that are polled. `is_decided` where the gateway
    enforces policies. Call `recover` once before serving and `close` before the database closes.
    """

    name = "lambda"
    queries = ("functions", "layers", *Resources.queries)

    def __init__(
        self,
        writer: CatalogWriter,
        packages: PackageStore,
        *,
        clock: Clock,
        secret: bytes,
        roles: RoleLookup | None = None,
        blobs: Blobs | None = None,
        concurrency_limit: int = 1_000,
        timeout_max_s: int = TIMEOUT_MAX_S,
        hot_directories: Sequence[Path] = (),
        access_points: AccessPoints | None = None,
        rights: Rights | None = None,
        checks: Mapping[SourceKind, SourceCheck] = _NO_CHECKS,
        allocations: Allocations = none_allocated,
        is_decided: bool = False,
    ) -> None:
        catalog = writer.catalog
        self._store = store = FunctionStore(writer)
        self._packages = packages
        self._settling = Settling(store, self._restore)
        self.idling = Idling(store)
        catalog.listeners.append(self._settling.function_changed)
        self.downloads = CodeDownloads(packages, secret, clock)
        self.resources = Resources(
            writer,
            clock,
            polled=frozenset(checks),
            checks=checks,
            allocations=allocations,
            concurrency_limit=concurrency_limit,
        )
        self._layers = layers = LayerStore(writer.database)
        code = CodeSource(blobs or NoBuckets())
        packaging = Packaging(packages, code, HotDirectories(hot_directories))
        operations: dict[str, Operation] = {
            **Changing(
                store,
                catalog,
                packaging,
                access_points or AccessPoints(),
                RoleRights(rights),
                LayerUse(layers, packages),
                roles,
                clock,
                self.resources.signing,
                self.resources.capacity,
                timeout_max_s,
            ).operations,
            **Layering(layers, packages, code, self.downloads, clock).operations,
            **LayerPolicies(layers).operations,
            **Reading(store, catalog, self._settling, self.downloads).operations,
            **Versioning(store, catalog, self._settling).operations,
            **Aliasing(AliasStore(writer), catalog).operations,
            **Tagging(store, self.resources.tagged).operations,
            **Concurrency(
                ConcurrencyStore(writer),
                store,
                catalog,
                concurrency_limit,
                self.resources.claims,
            ).operations,
            **self.resources.operations,
        }
        across = AcrossAccounts(catalog, is_decided=is_decided)
        self.operations: Mapping[str, Operation] = across.let_in(operations)

    def make_snapshots_by(self, optimize: Optimize) -> None:
        """Who makes the snapshots of versions with SnapStart; before any is published."""
        self._settling.optimize = optimize

    async def recover(self) -> None:
        """Finish what a server that died has begun, and make sure of every function's code.

        A package that is lost is logged; its functions cannot run until they get new code.
        """
        await self._settling.settle_all()
        await self.resources.recover()
        in_use = await self._store.package_ids() - await self._store.asleep()
        in_use |= await self._layers.package_ids()
        for package_id in in_use:
            try:
                await self._packages.ensure_tree(package_id)
            except PlatformError:
                log.exception("functions with the code %s cannot run", package_id)

    async def collect_packages(self, mounted: Collection[str]) -> int:
        """Remove the trees that neither function nor layer uses, but for `mounted`; how many went.

        Those of Inactive functions go too, but not their packages. To be called soon after the
        start, off its critical path, and from time to time: what is unused goes with the second
        call that finds it so.
        """
        in_use = set(mounted)
        in_use |= await self._store.package_ids()
        in_use |= await self._store.opt_names()
        in_use |= await self._layers.package_ids()
        asleep = await self._store.asleep() - await self._layers.package_ids()
        await self._packages.unmake(asleep.difference(mounted))
        return await self._packages.collect(in_use)

    async def _restore(self, function: FunctionVersion) -> None:
        """Unpack what a version runs from, as far as it is not."""
        if function.package_id:
            await self._packages.ensure_tree(function.package_id)
        await self._packages.ensure_opt(function.layers)

    async def close(self) -> None:
        """Let what has been begun come to its end."""
        await self.idling.close()
        await self._settling.close()
        await self.resources.close()
