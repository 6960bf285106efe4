"""Event invoke configurations: Put, Update, Get, Delete and List."""

from collections.abc import Mapping
from typing import Any, Final

from emberbox.clock import utc
from emberbox.errors import CallerError
from emberbox.functions.attaching import Attaching, qualifier_of
from emberbox.functions.finding import exists
from emberbox.functions.references import Target, target_of
from emberbox.model.attachment import Attachment
from emberbox.model.configuration import invalid
from emberbox.model.event_invoke import check_destinations
from emberbox.model.names import FunctionReference
from emberbox.model.request import Operation, Params, Reply, RequestContext
from emberbox.storage.catalog import FunctionCatalog, FunctionKey

_SETTINGS: Final = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds")
_DESTINATIONS: Final = "DestinationConfig"


class EventInvoking:
    """The operations."""

    def __init__(self, configs: Attaching, catalog: FunctionCatalog) -> None:
        self._configs = configs
        self._catalog = catalog

    @property
    def operations(self) -> dict[str, Operation]:
        """By their names in the model."""
        return {
            "DeleteFunctionEventInvokeConfig": self.delete_config,
            "GetFunctionEventInvokeConfig": self.get_config,
            "ListFunctionEventInvokeConfigs": self.list_configs,
            "PutFunctionEventInvokeConfig": self.put_config,
            "UpdateFunctionEventInvokeConfig": self.update_config,
        }

    async def put_config(self, context: RequestContext, params: Params) -> Params:
        """Replace all settings; what is not given has its default again."""
        given = self._given(params)
        target = self._target(context, params)
        value = {_DESTINATIONS: {}, **given}
        return self._shown(target, await self._configs.change(target, lambda _: value, _gone()))

    async def update_config(self, context: RequestContext, params: Params) -> Params:
        """Change the settings that are given."""
        given = self._given(params)
        target = self._target(context, params)

        def merged(before: Mapping[str, Any] | None) -> Mapping[str, Any]:
            if before is None:
                raise _none(target)
            return {**before, **given}

        return self._shown(target, await self._configs.change(target, merged, _gone()))

    async def get_config(self, context: RequestContext, params: Params) -> Params:
        """The settings."""
        target = target_of(context, params)
        found = self._configs.get(target)
        if found is None:
            raise _none(target)
        return self._shown(target, found)

    async def delete_config(self, context: RequestContext, params: Params) -> Reply:
        """Remove the settings."""
        target = target_of(context, params)

        def nothing(before: Mapping[str, Any] | None) -> None:
            if before is None:
                raise _none(target)

        await self._configs.change(target, nothing, _none(target))
        return Reply(status=204)

    async def list_configs(self, context: RequestContext, params: Params) -> Params:
        """The settings of a function and of its versions and aliases, a page of them."""
        target = target_of(context, params)
        if not exists(self._catalog, target.of(None)):
            raise _gone()
        return self._configs.page(
            target,
            params,
            "FunctionEventInvokeConfigs",
            lambda each: self._shown(target.of(each.qualifier), each),
        )

    def _given(self, params: Params) -> Params:
        given = {
            member: params[member]
            for member in (*_SETTINGS, _DESTINATIONS)
            if params.get(member) is not None
        }
        if not given:
            raise invalid("You must specify at least one of error handling or destination setting.")
        return given

    def _target(self, context: RequestContext, params: Params) -> Target:
        """What is meant, if it exists and may have the destinations that are given."""
        target = target_of(context, params)
        if not exists(self._catalog, target):
            raise _gone()
        config = params.get(_DESTINATIONS) or {}
        for function in check_destinations(config, *target.key):
            self._check_function(context, function)
        return target

    def _check_function(self, context: RequestContext, found: FunctionReference) -> None:
        key = FunctionKey(str(found.account), str(found.region), found.name)
        if found.account == context.account and not exists(
            self._catalog, Target(key, found.qualifier)
        ):
            arn = Target(key, found.qualifier).arn
            raise invalid(f"The destination ARN {arn} is invalid.")

    def _shown(self, target: Target, config: Attachment) -> Params:
        """`FunctionEventInvokeConfig`, whose ARN is always qualified."""
        destinations = config.value.get(_DESTINATIONS) or {}
        return {
            "LastModified": utc(config.modified),
            "FunctionArn": target.of(qualifier_of(target)).arn,
            **{name: config.value[name] for name in _SETTINGS if name in config.value},
            _DESTINATIONS: {
                member: _without_nothing(destinations.get(member))
                for member in ("OnSuccess", "OnFailure")
            },
        }


def _without_nothing(config: Mapping[str, Any] | None) -> Params:
    return {member: value for member, value in (config or {}).items() if value}


def _gone() -> CallerError:
    return CallerError("ResourceNotFoundException", "The function doesn't exist.", status=404)


def _none(target: Target) -> CallerError:
    arn = target.of(qualifier_of(target)).arn
    return CallerError(
        "ResourceNotFoundException",
        f"The function {arn} doesn't have an EventInvokeConfig",
        status=404,
    )
