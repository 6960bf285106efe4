"""Event source mappings: Create, Get, List, Update and Delete.

A mapping is only described here. Who polls hears of every change from the store, and says there
what has become of it.
"""

import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from emberbox.clock import Clock, utc
from emberbox.errors import CallerError
from emberbox.functions.absent import no_such_resource
from emberbox.functions.finding import found
from emberbox.functions.mapping_settling import MappingSettling
from emberbox.functions.pages import page_of
from emberbox.functions.references import Target, target_of
from emberbox.model.configuration import check_tags, invalid
from emberbox.model.function import FunctionVersion
from emberbox.model.mapping import (
    EventSourceMapping,
    MappingState,
    SourceKind,
    moved,
    user_action,
)
from emberbox.model.mapping_rules import (
    check_given,
    check_settings,
    check_source,
    defaults,
    kind_of_source,
)
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.model.tenancy import refuse_tenancy
from emberbox.storage.catalog import FunctionCatalog
from emberbox.storage.mappings import Key, MappingExistsError, MappingMissingError, MappingStore

PAGE: Final = 100
_TIMESTAMP: Final = "StartingPositionTimestamp"
_NOT_SETTINGS: Final = frozenset({"FunctionName", "EventSourceArn", "Enabled", "Tags", "UUID"})
_EMPTY: Final[tuple[Any, ...]] = ({}, {"Filters": []}, "")
_CLEARED: Final = frozenset(
    {"FilterCriteria", "KMSKeyArn", "ScalingConfig", "ProvisionedPollerConfig", "MetricsConfig"}
)
"""Settings that an empty value removes."""

SourceCheck = Callable[[EventSourceMapping, FunctionVersion], Awaitable[None]]
"""Raises CallerError unless the source is there and a function can read it."""


class Sourcing:
    """The operations; `checks` look at the sources themselves, where there is somebody to ask."""

    def __init__(
        self,
        store: MappingStore,
        catalog: FunctionCatalog,
        settling: MappingSettling,
        clock: Clock,
        checks: Mapping[SourceKind, SourceCheck],
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._settling = settling
        self._clock = clock
        self._checks = checks

    @property
    def operations(self) -> dict[str, Operation]:
        """By their names in the model."""
        return {
            "CreateEventSourceMapping": self.create_event_source_mapping,
            "DeleteEventSourceMapping": self.delete_event_source_mapping,
            "GetEventSourceMapping": self.get_event_source_mapping,
            "ListEventSourceMappings": self.list_event_source_mappings,
            "UpdateEventSourceMapping": self.update_event_source_mapping,
        }

    async def create_event_source_mapping(self, context: RequestContext, params: Params) -> Params:
        """Store a mapping; it answers Creating and comes to rest a moment later."""
        kind = kind_of_source(params)
        check_given(kind, params)
        check_source(kind, params)
        tags = dict(params.get("Tags") or {})
        check_tags(tags)
        target, function = self._function(context, params)
        mapping = EventSourceMapping(
            uuid=str(uuid.uuid4()),
            account=context.account,
            region=context.region,
            function=target.key.name,
            qualifier=target.qualifier,
            source=kind,
            source_arn=params.get("EventSourceArn"),
            settings=defaults(kind),
            enabled=params.get("Enabled", True),
            state=MappingState.CREATING,
            modified=self._clock.now(),
            reason=user_action(kind),
            result=None if kind.is_queue else "No records processed",
            tags=tags,
        )
        mapping = _grouped(_with_settings(mapping, params))
        check_settings(kind, mapping.settings)
        await self._check(mapping, function)
        try:
            await self._store.create(mapping)
        except MappingExistsError as error:
            raise _duplicate(mapping, str(error)) from None
        return shown(mapping)

    async def get_event_source_mapping(self, context: RequestContext, params: Params) -> Params:
        """One mapping, once what is under way with it has had a moment."""
        return shown(await self._existing(context, params["UUID"]))

    async def list_event_source_mappings(self, context: RequestContext, params: Params) -> Params:
        """The mappings of a function or of a source, or all; by UUID."""
        wanted = self._wanted(context, params)
        mappings = self._store.of_account(context.account, context.region)
        return page_of(
            "EventSourceMappings",
            filter(wanted, mappings),
            params,
            lambda each: each.uuid,
            shown,
            PAGE,
        )

    async def update_event_source_mapping(self, context: RequestContext, params: Params) -> Params:
        """Change the settings that are given; its source and where it began stay as they are."""
        before = await self._existing(context, params["UUID"])
        check_given(before.source, params)
        named = {"FunctionName": params.get("FunctionName") or before.function_arn}
        target = target_of(context, named)
        function = self._catalog.lookup(*target.key)
        if params.get("FunctionName"):
            target, function = self._function(context, named)

        def alter(now: EventSourceMapping) -> EventSourceMapping:
            if not now.is_settled:
                raise _busy("update")
            after = replace(now, function=target.key.name, qualifier=target.qualifier)
            after = _with_settings(after, params)
            check_settings(after.source, after.settings)
            return self._begun(after, params.get("Enabled"))

        if function is not None:
            await self._check(alter(before), function)
        key = (context.account, context.region, params["UUID"])
        try:
            return shown(await self._store.update(key, alter))
        except MappingMissingError:
            raise no_such_resource() from None
        except MappingExistsError as error:
            raise _duplicate(replace(before, function=target.key.name), str(error)) from None

    async def delete_event_source_mapping(self, context: RequestContext, params: Params) -> Params:
        """Begin to remove a mapping."""
        await self._existing(context, params["UUID"])
        now = self._clock.now()

        def alter(before: EventSourceMapping) -> EventSourceMapping:
            if before.state is MappingState.DELETING:
                raise _busy("delete")
            after = moved(before, MappingState.DELETING, user_action(before.source))
            return replace(after, modified=now)

        key = (context.account, context.region, params["UUID"])
        try:
            return shown(await self._store.update(key, alter))
        except MappingMissingError:
            raise no_such_resource() from None

    def _begun(self, mapping: EventSourceMapping, enabled: bool | None) -> EventSourceMapping:
        """As an update of it begins."""
        to = MappingState.UPDATING
        if enabled is not None and enabled is not mapping.enabled:
            to = MappingState.ENABLING if enabled else MappingState.DISABLING
        if to is MappingState.DISABLING and mapping.state is MappingState.DISABLED:
            to = MappingState.UPDATING  # it was wanted, but nobody polls it
        after = moved(mapping, to, user_action(mapping.source))
        wanted = mapping.enabled if enabled is None else enabled
        return replace(after, enabled=wanted, modified=self._clock.now())

    def _function(self, context: RequestContext, params: Params) -> tuple[Target, FunctionVersion]:
        target = target_of(context, params)
        try:
            function = found(self._catalog, target)
        except CallerError:
            raise invalid("Function does not exist") from None
        refuse_tenancy(function, "Event source mappings are")
        return target, function

    async def _check(self, mapping: EventSourceMapping, function: FunctionVersion) -> None:
        check = self._checks.get(mapping.source)
        if check is not None:
            await check(mapping, function)

    async def _existing(self, context: RequestContext, uuid_: str) -> EventSourceMapping:
        key: Key = (context.account, context.region, uuid_)
        await self._settling.finished(key)
        mapping = self._store.get(key)
        if mapping is None:
            raise no_such_resource()
        return mapping

    def _wanted(
        self, context: RequestContext, params: Params
    ) -> Callable[[EventSourceMapping], bool]:
        arn = params.get("EventSourceArn")
        target = target_of(context, params) if params.get("FunctionName") else None

        def wanted(mapping: EventSourceMapping) -> bool:
            is_of_source = arn is None or mapping.source_arn == arn
            is_of_function = target is None or (
                mapping.function_key == target.key and mapping.qualifier == target.qualifier
            )
            return is_of_source and is_of_function

        return wanted


def shown(mapping: EventSourceMapping) -> Params:
    """`EventSourceMappingConfiguration`; what it does not have is absent."""
    members: Params = {
        "UUID": mapping.uuid,
        "EventSourceMappingArn": mapping.arn,
        "EventSourceArn": mapping.source_arn,
        "FunctionArn": mapping.function_arn,
        "LastModified": utc(mapping.modified),
        "LastProcessingResult": mapping.result,
        "State": mapping.state.value,
        "StateTransitionReason": mapping.reason,
        **mapping.settings,
    }
    if _TIMESTAMP in members:
        members[_TIMESTAMP] = utc(members[_TIMESTAMP])
    return {member: value for member, value in members.items() if value is not None}


def _with_settings(mapping: EventSourceMapping, params: Params) -> EventSourceMapping:
    """The mapping with what a checked request sets; what is absent stays."""
    settings = dict(mapping.settings)
    for member, value in params.items():
        if member in _NOT_SETTINGS or value is None:
            continue
        if member in _CLEARED and value in _EMPTY:
            settings.pop(member, None)
        elif isinstance(value, datetime):
            settings[member] = value.timestamp()
        else:
            settings[member] = value
    return replace(mapping, settings=settings)


def _grouped(mapping: EventSourceMapping) -> EventSourceMapping:
    """With a consumer group of its own if it reads from Kafka and names none."""
    member = {
        SourceKind.MSK: "AmazonManagedKafkaEventSourceConfig",
        SourceKind.KAFKA: "SelfManagedKafkaEventSourceConfig",
    }.get(mapping.source)
    if member is None:
        return mapping
    config = {"ConsumerGroupId": mapping.uuid, **(mapping.settings.get(member) or {})}
    return replace(mapping, settings={**mapping.settings, member: config})


def _busy(verb: str) -> CallerError:
    return CallerError(
        "ResourceInUseException",
        f"Cannot {verb} the event source mapping because it is in use.",
        status=400,
    )


def _duplicate(mapping: EventSourceMapping, other: str) -> CallerError:
    end = f"Please update or delete the existing mapping with UUID {other}"
    if mapping.source.is_queue:
        what = (
            f'An event source mapping with SQS arn (" {mapping.source_arn} ") and function '
            f'(" {mapping.function} ") already exists.'
        )
    elif mapping.source_arn is not None:
        what = (
            f'The event source arn (" {mapping.source_arn} ") and function '
            f'(" {mapping.function} ") provided mapping already exists.'
        )
    else:
        servers, *topics = mapping.reads
        what = (
            f'An event source mapping with event source ("{servers}"), function '
            f'("{mapping.function_arn}"), topics ("{",".join(topics)}") already exists.'
        )
    return CallerError("ResourceConflictException", f"{what} {end}", status=409)
