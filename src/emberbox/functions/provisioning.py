"""Provisioned concurrency of versions and aliases: Put, Get, Delete and List."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from emberbox.clock import utc
from emberbox.errors import CallerError
from emberbox.functions.attaching import Attaching, qualifier_of
from emberbox.functions.claims import Claims
from emberbox.functions.finding import exists, found
from emberbox.functions.references import Target, target_of
from emberbox.model.attachment import Attachment, Kind
from emberbox.model.concurrency import check_within
from emberbox.model.function import FunctionVersion
from emberbox.model.provisioned import (
    Allocation,
    Status,
    check_amount,
    check_qualifier,
    never_published,
    unpublished,
)
from emberbox.model.request import Operation, Params, Reply, RequestContext
from emberbox.model.tenancy import refuse_tenancy
from emberbox.storage.catalog import FunctionCatalog, FunctionKey

REQUESTED = "requested"
Allocations = Callable[[FunctionKey, str], Allocation]
"""(function, version) -> what the data plane has of it now."""


class Provisioning:
    """The operations. `concurrency_limit` is that of an account in a region."""

    def __init__(
        self,
        configs: Attaching,
        catalog: FunctionCatalog,
        allocations: Allocations,
        concurrency_limit: int,
        claims: Claims,
    ) -> None:
        self._configs = configs
        self._catalog = catalog
        self._allocations = allocations
        self._concurrency_limit = concurrency_limit
        self._claims = claims

    @property
    def operations(self) -> dict[str, Operation]:
        """By their names in the model."""
        return {
            "DeleteProvisionedConcurrencyConfig": self.delete_config,
            "GetProvisionedConcurrencyConfig": self.get_config,
            "ListProvisionedConcurrencyConfigs": self.list_configs,
            "PutProvisionedConcurrencyConfig": self.put_config,
        }

    async def put_config(self, context: RequestContext, params: Params) -> Reply:
        """Ask for so many environments; they are made after the answer."""
        target, function = self._published(context, params, unpublished())
        requested = params["ProvisionedConcurrentExecutions"]
        refuse_tenancy(function, "Provisioned concurrency is")
        async with self._claims.turn(target.key.account, target.key.region):
            self._check(target, function, requested)
            config = await self._configs.change(target, lambda _before: {REQUESTED: requested})
        return Reply(_shown(config, Allocation(), Status.IN_PROGRESS), status=202)

    def _check(self, target: Target, function: FunctionVersion, requested: int) -> None:
        """CallerError unless a version or alias may have so many, besides what others have."""
        key, qualifier = target.key, qualifier_of(target)
        amounts = requested_of(self._catalog, key)
        aliases = {alias.name: alias.version for alias in self._catalog.aliases(key)}
        check_qualifier(qualifier, function, amounts, aliases)
        mine = amounts.get(qualifier, 0)
        reserved = self._catalog.reserved(key)
        check_within(reserved, sum(amounts.values()) - mine + requested)
        if reserved is None:
            set_aside = self._catalog.reserved_in(key.account, key.region)
            of_others = provisioned_of(self._catalog)[key[:2]] - mine
            check_amount(requested, of_others, self._concurrency_limit - set_aside)

    async def get_config(self, context: RequestContext, params: Params) -> Params:
        """What was asked for, and what there is."""
        target, _ = self._published(context, params, never_published())
        config = self._configs.get(target)
        if config is None:
            raise CallerError(
                "ProvisionedConcurrencyConfigNotFoundException",
                "No Provisioned Concurrency Config found for this function",
                status=404,
            )
        return self._now(target, config)

    async def delete_config(self, context: RequestContext, params: Params) -> Reply:
        """Keep no environments any more; that there were none does not matter."""
        target, _ = self._published(context, params, never_published())
        await self._configs.change(target, _nothing)
        return Reply(status=204)

    async def list_configs(self, context: RequestContext, params: Params) -> Params:
        """The configurations of a function's versions and aliases, a page of them."""
        target = target_of(context, params)
        if not exists(self._catalog, target.of(None)):
            raise target.of(None).missing()
        return self._configs.page(
            target,
            params,
            "ProvisionedConcurrencyConfigs",
            lambda each: {
                "FunctionArn": target.of(each.qualifier).arn,
                **self._now(target.of(each.qualifier), each),
            },
        )

    def _published(
        self, context: RequestContext, params: Params, is_latest: CallerError
    ) -> tuple[Target, FunctionVersion]:
        """The version or alias that is meant, and the version; an error is given for `$LATEST`."""
        target = target_of(context, params)
        if target.is_latest:
            raise is_latest
        if not exists(self._catalog, target):
            raise target.missing_qualifier()
        return target, found(self._catalog, target)

    def _now(self, target: Target, config: Attachment) -> Params:
        alias = self._catalog.alias(target.key, config.qualifier)
        version = config.qualifier if alias is None else alias.version
        requested = config.value[REQUESTED]
        allocation = self._allocations(target.key, version).of(requested)
        return _shown(config, allocation, allocation.status(requested))


def requested_of(catalog: FunctionCatalog, key: tuple[str, str, str]) -> dict[str, int]:
    """Qualifier -> environments that are asked for, of a function."""
    configs = catalog.attachments(key, Kind.PROVISIONED)
    return {each.qualifier: each.value[REQUESTED] for each in configs}


def provisioned_of(catalog: FunctionCatalog) -> Counter[tuple[str, str]]:
    """What is provisioned of functions that have no reservation, by account and region."""
    found: Counter[tuple[str, str]] = Counter()
    for key, config in catalog.all_attachments(Kind.PROVISIONED):
        if catalog.reserved(key) is None:
            found[key[:2]] += config.value[REQUESTED]
    return found


def none_allocated(_key: FunctionKey, _version: str) -> Allocation:
    """Without a data plane nothing is ever allocated."""
    return Allocation()


def _nothing(_before: Mapping[str, Any] | None) -> None:
    return None


def _shown(config: Attachment, allocation: Allocation, status: Status) -> Params:
    modified = utc(config.modified)
    shown: Params = {
        "RequestedProvisionedConcurrentExecutions": config.value[REQUESTED],
        "AllocatedProvisionedConcurrentExecutions": allocation.allocated,
        "AvailableProvisionedConcurrentExecutions": allocation.allocated,
        "Status": status.value,
        "LastModified": f"{modified:%Y-%m-%dT%H:%M:%S}+0000",
    }
    if status is Status.FAILED:
        shown["StatusReason"] = allocation.failure
    return shown
