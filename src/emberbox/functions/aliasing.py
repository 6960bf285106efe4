"""CreateAlias, GetAlias, UpdateAlias, DeleteAlias, ListAliases."""

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from emberbox.errors import CallerError
from emberbox.functions.finding import found
from emberbox.functions.pages import key_in, marker_after, page_size
from emberbox.functions.provisioning import requested_of
from emberbox.functions.references import Target, latest_of
from emberbox.model.alias import Alias, check_routing, check_share
from emberbox.model.configuration import check_revision
from emberbox.model.names import LATEST
from emberbox.model.provisioned import check_qualifier, unpublished
from emberbox.model.request import Operation, Params, Reply, RequestContext
from emberbox.storage.aliases import (
    AliasExistsError,
    AliasMissingError,
    AliasStore,
    VersionMissingError,
)
from emberbox.storage.catalog import FunctionCatalog


class Aliasing:
    """Names for versions."""

    def __init__(self, store: AliasStore, catalog: FunctionCatalog) -> None:
        self._store = store
        self._catalog = catalog

    @property
    def operations(self) -> dict[str, Operation]:
        """By their names in the model."""
        return {
            "CreateAlias": self.create_alias,
            "DeleteAlias": self.delete_alias,
            "GetAlias": self.get_alias,
            "ListAliases": self.list_aliases,
            "UpdateAlias": self.update_alias,
        }

    async def create_alias(self, context: RequestContext, params: Params) -> Params:
        """Give a version a name."""
        target = latest_of(context, params)
        alias = Alias(
            *target.key,
            name=params["Name"],
            version=params["FunctionVersion"],
            revision_id=str(uuid.uuid4()),
            description=params.get("Description") or "",
            weights=_weights(params.get("RoutingConfig")),
        )
        found(self._catalog, target.of(alias.version))
        self._check(alias)
        try:
            await self._store.create(alias)
        except AliasExistsError:
            raise CallerError(
                "ResourceConflictException", f"Alias already exists: {alias.arn}", status=409
            ) from None
        except VersionMissingError as error:
            raise target.of(str(error)).missing() from None
        return _shown(alias)

    async def get_alias(self, context: RequestContext, params: Params) -> Params:
        """One alias."""
        target = latest_of(context, params)
        found(self._catalog, target)
        alias = self._catalog.alias(target.key, params["Name"])
        if alias is None:
            raise _missing("Cannot find alias arn", target.of(params["Name"]))
        return _shown(alias)

    async def update_alias(self, context: RequestContext, params: Params) -> Params:
        """Change what is given; an empty routing configuration takes the weights away."""
        target = latest_of(context, params)
        found(self._catalog, target)
        revision_id = str(uuid.uuid4())

        def alter(before: Alias) -> Alias:
            check_revision(before.revision_id, params.get("RevisionId"))
            routing = params.get("RoutingConfig")
            after = replace(
                before,
                version=params.get("FunctionVersion") or before.version,
                description=params.get("Description", before.description),
                weights=before.weights if routing is None else _weights(routing),
                revision_id=revision_id,
            )
            self._check(after)
            if after.version != before.version:
                self._check_provisioned(after)
            return after

        try:
            after = await self._store.update(target.key, params["Name"], alter)
        except AliasMissingError:
            raise _missing("Alias not found", target.of(params["Name"])) from None
        except VersionMissingError as error:
            raise target.of(str(error)).missing() from None
        return _shown(after)

    def _check(self, alias: Alias) -> None:
        """CallerError unless an alias may point so; whether the versions exist is the store's."""
        check_routing(alias.version, alias.weights)
        versions = (self._catalog.version(alias.key, each) for each in alias.weights)
        first = self._catalog.version(alias.key, alias.version)
        check_share([each for each in (first, *versions) if each is not None])

    def _check_provisioned(self, alias: Alias) -> None:
        """CallerError if an alias with provisioned concurrency may not point at its version."""
        configured = requested_of(self._catalog, alias.key)
        function = self._catalog.version(alias.key, alias.version)
        if alias.name not in configured or function is None:
            return
        if alias.version == LATEST:
            raise unpublished()
        check_qualifier(alias.name, function, configured, {alias.name: alias.version})

    async def delete_alias(self, context: RequestContext, params: Params) -> Reply:
        """Take a name away; whether it was there does not matter, nor does AWS say."""
        await self._store.delete(latest_of(context, params).key, params["Name"])
        return Reply(status=204)

    async def list_aliases(self, context: RequestContext, params: Params) -> Params:
        """A page of a function's aliases by name, perhaps only those of one version."""
        target = latest_of(context, params)
        found(self._catalog, target)
        version = params.get("FunctionVersion")
        after = (key_in(params.get("Marker"), 1) or ("",))[0]
        aliases = [
            alias
            for alias in self._catalog.aliases(target.key)
            if alias.name > after and version in (None, alias.version)
        ]
        limit = page_size(params.get("MaxItems"))
        page: Params = {"Aliases": [_shown(alias) for alias in aliases[:limit]]}
        if len(aliases) > limit:
            page["NextMarker"] = marker_after(aliases[limit - 1].name)
        return page


def _weights(routing: Mapping[str, Any] | None) -> dict[str, float]:
    return dict((routing or {}).get("AdditionalVersionWeights") or {})


def _shown(alias: Alias) -> Params:
    """`AliasConfiguration`."""
    shown: Params = {
        "AliasArn": alias.arn,
        "Name": alias.name,
        "FunctionVersion": alias.version,
        "Description": alias.description,
        "RevisionId": alias.revision_id,
    }
    if alias.weights:
        shown["RoutingConfig"] = {"AdditionalVersionWeights": dict(alias.weights)}
    return shown


def _missing(text: str, target: Target) -> CallerError:
    return CallerError("ResourceNotFoundException", f"{text}: {target.arn}", status=404)
