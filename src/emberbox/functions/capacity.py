"""Capacity providers: Create, Get, Update, Delete and List, and who uses one.

A capacity provider is a fleet of EC2 instances in a customer's account. There is none here, so a
provider is checked, kept and shown, and its state is Failed: it will never run anything. A function
that is given one runs as any other, and says so.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from emberbox.clock import Clock
from emberbox.errors import CallerError
from emberbox.functions.pages import page_of
from emberbox.functions.stamps import timestamp
from emberbox.model.configuration import check_tags, invalid
from emberbox.model.names import function_arn
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.storage.account_resources import (
    AccountResource,
    AccountResourceStore,
    ResourceExistsError,
    ResourceMissingError,
    TooManyResourcesError,
)
from emberbox.storage.managed import AttachedVersions

KIND: Final = "capacity-provider"
_PROVIDERS_MAX: Final = 1_000
_NAME: Final = re.compile(r"[a-zA-Z0-9-_]{1,64}\Z")
_STATE: Final = "Failed"
_GIVEN: Final = (
    "VpcConfig",
    "PermissionsConfig",
    "InstanceRequirements",
    "CapacityProviderScalingConfig",
    "KmsKeyArn",
    "PropagateTags",
    "TelemetryConfig",
)
_CHANGEABLE: Final = ("CapacityProviderScalingConfig", "PropagateTags", "TelemetryConfig")
_SCALING: Final = {"MaxVCpuCount": 400, "ScalingMode": "Auto"}


class Capacity:
    """The operations."""

    def __init__(
        self, store: AccountResourceStore, versions: AttachedVersions, clock: Clock
    ) -> None:
        self._store = store
        self._versions = versions
        self._clock = clock

    @property
    def operations(self) -> dict[str, Operation]:
        """By their names in the model."""
        return {
            "CreateCapacityProvider": self.create,
            "DeleteCapacityProvider": self.delete,
            "GetCapacityProvider": self.get,
            "ListCapacityProviders": self.list,
            "ListFunctionVersionsByCapacityProvider": self.list_versions,
            "UpdateCapacityProvider": self.update,
        }

    async def create(self, context: RequestContext, params: Params) -> Params:
        """Keep a provider."""
        text = params["CapacityProviderName"]
        name = _name(context, text, invalid(f"{text} is of another account or region."))
        tags = dict(params.get("Tags") or {})
        check_tags(tags)
        value = {"CapacityProviderScalingConfig": {}, **_given(params, _GIVEN)}
        value["CapacityProviderScalingConfig"] = _scaling(value["CapacityProviderScalingConfig"])
        _check_instances(value.get("InstanceRequirements") or {})
        provider = AccountResource(
            context.account, context.region, KIND, name, value, self._clock.now(), tags
        )
        try:
            await self._store.create(provider, _PROVIDERS_MAX)
        except ResourceExistsError:
            raise CallerError(
                "ResourceConflictException",
                f"Capacity provider already exists: {provider.arn}",
                status=409,
            ) from None
        except TooManyResourcesError:
            raise CallerError(
                "CapacityProviderLimitExceededException",
                f"An account has at most {_PROVIDERS_MAX} capacity providers in a region.",
                status=400,
            ) from None
        return _answer(provider)

    async def get(self, context: RequestContext, params: Params) -> Params:
        """One provider."""
        return _answer(await self._found(context, params))

    async def update(self, context: RequestContext, params: Params) -> Params:
        """Change what is given of what can change."""
        found = await self._found(context, params)
        given, now = _given(params, _CHANGEABLE), self._clock.now()

        def alter(before: AccountResource) -> AccountResource:
            value = {**before.value, **given}
            if "CapacityProviderScalingConfig" in given:
                merged = {
                    **before.value["CapacityProviderScalingConfig"],
                    **given["CapacityProviderScalingConfig"],
                }
                value["CapacityProviderScalingConfig"] = _scaling(merged)
            return replace(before, value=value, modified=now)

        try:
            after = await self._store.update(context.account, context.region, found.name, alter)
        except ResourceMissingError:
            raise _missing(found.arn) from None
        return _answer(after)

    async def delete(self, context: RequestContext, params: Params) -> Params:
        """Forget a provider that no function has."""
        found = await self._found(context, params)
        if await self._versions.of(context.account, context.region, found.arn):
            raise CallerError(
                "ResourceConflictException",
                f"Capacity provider {found.arn} is used by function versions: delete them first.",
                status=409,
            )
        try:
            await self._store.remove(context.account, context.region, found.name)
        except ResourceMissingError:
            raise _missing(found.arn) from None
        return _answer(found, "Deleting")

    async def list(self, context: RequestContext, params: Params) -> Params:
        """A page of providers by name, perhaps only those in a state."""
        if params.get("State") not in (None, _STATE):
            return {"CapacityProviders": []}
        found = await self._store.all(context.account, context.region)
        return page_of(
            "CapacityProviders",
            found,
            params,
            lambda each: each.name,
            lambda each: _shown(each, _STATE),
        )

    async def list_versions(self, context: RequestContext, params: Params) -> Params:
        """A page of the versions that have been given a provider."""
        provider = await self._found(context, params)
        versions = await self._versions.of(context.account, context.region, provider.arn)
        page = page_of(
            "FunctionVersions",
            versions,
            params,
            lambda each: f"{each.name}\0{each.number:020}",
            lambda each: {
                "FunctionArn": function_arn(*each.key, each.version),
                "State": each.state.value,
            },
        )
        return {"CapacityProviderArn": provider.arn, **page}

    async def check_usable(self, context: RequestContext, arn: str) -> None:
        """CallerError unless a function can be given the provider with this ARN."""
        await self._found(context, {"CapacityProviderName": arn})

    async def _found(self, context: RequestContext, params: Params) -> AccountResource:
        text = params["CapacityProviderName"]
        name = _name(context, text, _missing(text))
        provider = await self._store.get(context.account, context.region, name)
        if provider is None:
            arn = f"arn:aws:lambda:{context.region}:{context.account}:{KIND}:{name}"
            raise _missing(arn)
        return provider


def _name(context: RequestContext, text: str, elsewhere: CallerError) -> str:
    """The name in a name or an ARN; `elsewhere` is raised for one of others."""
    name = text.rpartition(":")[2]
    if text.startswith("arn:"):
        region, account = text.split(":")[3:5]
        if (account, region) != (context.account, context.region):
            raise elsewhere
    if not _NAME.match(name):
        raise invalid("The name of a capacity provider has at most 64 characters.")
    return name


def _given(params: Params, members: tuple[str, ...]) -> Params:
    return {member: params[member] for member in members if params.get(member) is not None}


def _scaling(config: Mapping[str, Any]) -> dict[str, Any]:
    """A scaling configuration with its defaults; CallerError for a half one."""
    made = {**_SCALING, **config}
    if made["ScalingMode"] == "Manual" and not made.get("ScalingPolicies"):
        raise invalid("ScalingPolicies are required when ScalingMode is Manual.")
    if made["ScalingMode"] == "Auto" and made.get("ScalingPolicies"):
        raise invalid("ScalingPolicies are not supported when ScalingMode is Auto.")
    return made


def _check_instances(requirements: Mapping[str, Any]) -> None:
    if requirements.get("AllowedInstanceTypes") and requirements.get("ExcludedInstanceTypes"):
        raise invalid("AllowedInstanceTypes and ExcludedInstanceTypes cannot both be specified.")


def _answer(provider: AccountResource, state: str = _STATE) -> Params:
    return {"CapacityProvider": _shown(provider, state)}


def _shown(provider: AccountResource, state: str) -> Params:
    return {
        "CapacityProviderArn": provider.arn,
        "State": state,
        **provider.value,
        "LastModified": timestamp(provider.modified),
    }


def _missing(arn: str) -> CallerError:
    return CallerError(
        "ResourceNotFoundException", f"Capacity provider not found: {arn}", status=404
    )
