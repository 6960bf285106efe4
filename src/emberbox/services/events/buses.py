"""Buses and their policies."""

import json
from dataclasses import replace
from typing import Any, Final

from emberbox.clock import Clock
from emberbox.errors import CallerError
from emberbox.model.event_bus import DEFAULT, Bus, Rule, bus_arn, invalid, not_found
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.services.events.naming import Buses, page, present, stamp, tags_of, unbuilt
from emberbox.storage.shelf import Shelf, ShelfKey

_POLICY_MAX: Final = 10_240
_UNBUILT: Final = ("EventSourceName", "KmsKeyIdentifier", "DeadLetterConfig", "LogConfig")


class BusOperations:
    """What is done to buses."""

    def __init__(self, buses: Buses, rules: Shelf[Rule], clock: Clock) -> None:
        self._buses = buses
        self._rules = rules
        self._clock = clock

    @property
    def operations(self) -> dict[str, Operation]:
        """By their names in the model."""
        return {
            "CreateEventBus": self.create_event_bus,
            "DeleteEventBus": self.delete_event_bus,
            "DescribeEventBus": self.describe_event_bus,
            "ListEventBuses": self.list_event_buses,
            "PutPermission": self.put_permission,
            "RemovePermission": self.remove_permission,
            "UpdateEventBus": self.update_event_bus,
        }

    async def create_event_bus(self, context: RequestContext, params: Params) -> Params:
        """Add a bus."""
        name = params["Name"]
        unbuilt(params, *_UNBUILT)
        if "/" in name:
            raise invalid("Event bus name must not contain '/'.")
        now = self._clock.now()
        fresh = Bus(
            context.account,
            context.region,
            name,
            now,
            now,
            params.get("Description") or "",
            tags=tags_of(params.get("Tags")),
        )

        def alter(found: Bus | None) -> Bus:
            if found is not None or name == DEFAULT:
                raise CallerError(
                    "ResourceAlreadyExistsException",
                    f"Event bus {name} already exists.",
                    status=400,
                )
            return fresh

        await self._buses.shelf.put(ShelfKey(context.account, context.region, name), alter)
        return present({"EventBusArn": fresh.arn, "Description": fresh.description})

    async def delete_event_bus(self, context: RequestContext, params: Params) -> Params:
        """Remove a bus that has no rules; one that is not there is no error."""
        key = ShelfKey(context.account, context.region, params["Name"].rpartition("/")[2])
        if key.name == DEFAULT:
            raise invalid("Cannot delete event bus default.")
        if any((r.account, r.region, r.bus) == key for r in self._rules.mirror):
            raise invalid(f"Cannot delete event bus {key.name} since it has rules.")
        await self._buses.shelf.remove(key)
        return {}

    async def describe_event_bus(self, context: RequestContext, params: Params) -> Params:
        """One bus."""
        return _shown(self._buses.named(context, params.get("Name")))

    async def list_event_buses(self, context: RequestContext, params: Params) -> Params:
        """The buses of the caller's account."""
        prefix = params.get("NamePrefix") or ""
        found = self._buses.all(context.account, context.region)
        return page([b for b in found if b.name.startswith(prefix)], params, "EventBuses", _shown)

    async def update_event_bus(self, context: RequestContext, params: Params) -> Params:
        """Change the description."""
        unbuilt(params, *_UNBUILT)
        bus = self._buses.named(context, params.get("Name"))
        made = await self._change(bus, description=params.get("Description") or "")
        return present({"Arn": made.arn, "Name": made.name, "Description": made.description})

    async def put_permission(self, context: RequestContext, params: Params) -> Params:
        """Let others put events, by a statement or by a whole policy."""
        bus = self._buses.named(context, params.get("EventBusName"))
        if params.get("Policy"):
            await self._change(bus, policy=_checked(params["Policy"]))
            return {}
        for member in ("Action", "Principal", "StatementId"):
            if not params.get(member):
                raise invalid(f"Parameter {member} must be specified.")
        statement: dict[str, Any] = {
            "Sid": params["StatementId"],
            "Effect": "Allow",
            "Principal": _principal(params["Principal"]),
            "Action": params["Action"],
            "Resource": bus.arn,
        }
        if params.get("Condition"):
            asked = params["Condition"]
            statement["Condition"] = {asked["Type"]: {asked["Key"]: asked["Value"]}}
        kept = [s for s in _statements(bus) if s.get("Sid") != params["StatementId"]]
        await self._change(bus, policy=_checked(_policy([*kept, statement])))
        return {}

    async def remove_permission(self, context: RequestContext, params: Params) -> Params:
        """Take back a statement, or all."""
        bus = self._buses.named(context, params.get("EventBusName"))
        if params.get("RemoveAllPermissions"):
            await self._change(bus, policy="")
            return {}
        statements = _statements(bus)
        kept = [s for s in statements if s.get("Sid") != params.get("StatementId")]
        if len(kept) == len(statements):
            raise not_found("Statement with the provided id does not exist.")
        await self._change(bus, policy=_policy(kept) if kept else "")
        return {}

    async def _change(self, bus: Bus, **changes: Any) -> Bus:
        now = self._clock.now()
        key = ShelfKey(bus.account, bus.region, bus.name)
        return await self._buses.shelf.put(
            key, lambda found: replace(found or bus, modified=now, **changes)
        )


def _statements(bus: Bus) -> list[dict[str, Any]]:
    found: Any = json.loads(bus.policy)["Statement"] if bus.policy else []
    return found if isinstance(found, list) else [found]


def _policy(statements: list[dict[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def _principal(text: str) -> Any:
    return "*" if text == "*" else {"AWS": f"arn:aws:iam::{text}:root"}


def _checked(text: str) -> str:
    try:
        policy = json.loads(text)
    except (ValueError, RecursionError):
        policy = None
    if not isinstance(policy, dict) or "Statement" not in policy:
        raise invalid("Parameter Policy is not valid. Reason: it is no policy document.")
    if len(text) > _POLICY_MAX:
        raise CallerError(
            "PolicyLengthExceededException", "The policy is longer than 10240.", status=400
        )
    return text


def _shown(bus: Bus) -> Params:
    return present(
        {
            "Name": bus.name,
            "Arn": bus_arn(bus.account, bus.region, bus.name),
            "Description": bus.description,
            "Policy": bus.policy,
            "CreationTime": stamp(bus.created) if bus.created else None,
            "LastModifiedTime": stamp(bus.modified) if bus.modified else None,
        }
    )
