"""Function URL configurations: Create, Get, Update, Delete and List; and which URL is whose."""

import os
from collections.abc import Mapping
from typing import Any, Final

from emberbox.clock import Clock, utc
from emberbox.errors import CallerError
from emberbox.functions.absent import no_such_resource
from emberbox.functions.attaching import Attaching, qualifier_of
from emberbox.functions.finding import exists, found
from emberbox.functions.references import Target, target_of
from emberbox.model.attachment import Attachment, Kind
from emberbox.model.configuration import validation_error
from emberbox.model.function_url import ID_LENGTH, FunctionUrl, check_cors, new_url_id, url_of
from emberbox.model.request import Operation, Params, Reply, RequestContext
from emberbox.model.tenancy import refuse_tenancy
from emberbox.storage.catalog import FunctionCatalog

_PATTERN: Final = (
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?"
    r"(\d{12}:)?(function:)?([a-zA-Z0-9-_]{1,64})(:((?!\d+$)[0-9a-zA-Z-_]+))?"
)
_BUFFERED: Final = "BUFFERED"


class UrlIndex:
    """Function URLs by their ids, as the last committed write left them."""

    def __init__(self, catalog: FunctionCatalog) -> None:
        self._urls: dict[str, FunctionUrl] = {}
        catalog.attachment_listeners.append(self._changed)

    def lookup(self, url_id: str) -> FunctionUrl | None:
        """The URL with this id, or None."""
        return self._urls.get(url_id)

    def _changed(
        self, key: tuple[str, str, str], before: Attachment | None, after: Attachment | None
    ) -> None:
        changed = after or before
        if changed is None or changed.kind is not Kind.URL:
            return
        if before is not None:
            self._urls.pop(before.value["id"], None)
        if after is not None:
            value = after.value
            self._urls[value["id"]] = FunctionUrl(
                value["id"],
                *key,
                after.qualifier,
                value["AuthType"],
                value.get("InvokeMode") or _BUFFERED,
                value.get("Cors"),
            )


class UrlConfigs:
    """The operations."""

    def __init__(self, configs: Attaching, catalog: FunctionCatalog, clock: Clock) -> None:
        self._configs = configs
        self._catalog = catalog
        self._clock = clock

    @property
    def operations(self) -> dict[str, Operation]:
        """By their names in the model."""
        return {
            "CreateFunctionUrlConfig": self.create_config,
            "DeleteFunctionUrlConfig": self.delete_config,
            "GetFunctionUrlConfig": self.get_config,
            "ListFunctionUrlConfigs": self.list_configs,
            "UpdateFunctionUrlConfig": self.update_config,
        }

    async def create_config(self, context: RequestContext, params: Params) -> Params:
        """Give a function or an alias a URL."""
        check_cors(params.get("Cors") or {})
        target = self._existing(context, params)
        refuse_tenancy(found(self._catalog, target), "Function URLs are")
        value = {
            "id": new_url_id(os.urandom(ID_LENGTH)),
            "created": self._clock.now(),
            **_settings(params),
        }

        def first(before: Mapping[str, Any] | None) -> Mapping[str, Any]:
            if before is not None:
                raise _exists(target)
            return value

        config = await self._configs.change(target, first, _gone())
        shown = _as_given(self._shown(context, target, config), config)
        del shown["LastModifiedTime"]
        return shown

    async def get_config(self, context: RequestContext, params: Params) -> Params:
        """The URL and its settings."""
        target = _target(context, params)
        config = self._configs.get(target)
        if config is None:
            raise no_such_resource()
        return self._shown(context, target, config)

    async def update_config(self, context: RequestContext, params: Params) -> Params:
        """Change the settings that are given; the URL stays."""
        check_cors(params.get("Cors") or {})
        target = self._existing(context, params)

        def merged(before: Mapping[str, Any] | None) -> Mapping[str, Any]:
            if before is None:
                raise no_such_resource()
            return {**before, **_settings(params)}

        config = await self._configs.change(target, merged, _gone())
        return _as_given(self._shown(context, target, config), config)

    async def delete_config(self, context: RequestContext, params: Params) -> Reply:
        """Take the URL away. Its id is never given again."""
        target = _target(context, params)

        def nothing(before: Mapping[str, Any] | None) -> None:
            if before is None:
                raise no_such_resource()

        await self._configs.change(target, nothing, no_such_resource())
        return Reply(status=204)

    async def list_configs(self, context: RequestContext, params: Params) -> Params:
        """The URLs of a function and its aliases, a page of them."""
        target = _target(context, params).of(None)
        if not exists(self._catalog, target):
            raise _gone()
        return self._configs.page(
            target,
            params,
            "FunctionUrlConfigs",
            lambda each: self._shown(context, target.of(each.qualifier), each),
        )

    def _existing(self, context: RequestContext, params: Params) -> Target:
        target = _target(context, params)
        if not exists(self._catalog, target):
            raise _gone()
        return target

    def _shown(self, context: RequestContext, target: Target, config: Attachment) -> Params:
        """`FunctionUrlConfig`; its ARN is qualified for an alias only."""
        value = config.value
        shown = {
            "FunctionUrl": url_of(value["id"], context.endpoint),
            "FunctionArn": target.of(None if target.is_latest else qualifier_of(target)).arn,
            "AuthType": value["AuthType"],
            "Cors": value.get("Cors"),
            "CreationTime": _timestamp(value["created"]),
            "LastModifiedTime": _timestamp(config.modified),
            "InvokeMode": value.get("InvokeMode") or _BUFFERED,
        }
        return {member: each for member, each in shown.items() if each is not None}


def _as_given(shown: Params, config: Attachment) -> Params:
    """As a change of it is answered: without an `InvokeMode` that nobody has given."""
    return {m: v for m, v in shown.items() if m != "InvokeMode" or "InvokeMode" in config.value}


def _settings(params: Params) -> Params:
    return {
        member: params[member]
        for member in ("AuthType", "Cors", "InvokeMode")
        if params.get(member) is not None
    }


def _target(context: RequestContext, params: Params) -> Target:
    """What is meant; URLs hang on a function or an alias, and are never asked for by a version."""
    target = target_of(context, params)
    if target.qualifier is not None and (target.is_latest or target.qualifier.isdecimal()):
        raise validation_error(
            [
                f"Value '{params['FunctionName']}' at 'functionName' failed to satisfy constraint: "
                f"Member must satisfy regular expression pattern: {_PATTERN}"
            ]
        )
    return target


def _timestamp(epoch_s: float) -> str:
    return utc(epoch_s).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _exists(target: Target) -> CallerError:
    return CallerError(
        "ResourceConflictException",
        f"Failed to create function url config for [functionArn = {target.arn}]. Error message:  "
        "FunctionUrlConfig exists for this Lambda function",
        status=409,
    )


def _gone() -> CallerError:
    return CallerError("ResourceNotFoundException", "Function does not exist", status=404)
