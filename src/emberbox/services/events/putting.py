"""PutEvents, and the ways in for this server's own services."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from emberbox.clock import Clock
from emberbox.errors import CallerError
from emberbox.model.async_deliveries import Delivery, bus_entry
from emberbox.model.event_bus import (
    DEFAULT,
    ENTRIES_MAX_BYTES,
    entry_bytes,
    entry_error,
    envelope,
    invalid,
    not_found,
)
from emberbox.model.parcels import Parcel
from emberbox.model.policy.principals import root
from emberbox.model.policy.resource import resource_policy_allows
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.services.events.naming import Buses, arn_of_bus, bus_key, bus_key_of
from emberbox.services.events.routing import Router, fresh_id
from emberbox.storage.shelf import ShelfKey


class PutOperations:
    """Events into buses."""

    def __init__(self, buses: Buses, router: Router, clock: Clock) -> None:
        self._buses = buses
        self._router = router
        self._clock = clock

    @property
    def operations(self) -> dict[str, Operation]:
        """By their names in the model."""
        return {"PutEvents": self.put_events}

    async def put_events(self, context: RequestContext, params: Params) -> Params:
        """Take up to ten events; each is refused for itself. An event without a bus is dropped."""
        if params.get("EndpointId"):
            raise invalid("Parameter EndpointId is not valid. Reason: Emberbox has no endpoints.")
        entries: Sequence[Mapping[str, Any]] = params["Entries"]
        if sum(map(entry_bytes, entries)) > ENTRIES_MAX_BYTES:
            raise invalid("Total size of the entries in the request is over the limit.")
        told: list[Params] = []
        events = []
        for entry in entries:
            key = bus_key(context, entry.get("EventBusName"))
            error = entry_error(entry) or self._refusal(context, key)
            if error is not None:
                told.append({"ErrorCode": error[0], "ErrorMessage": error[1]})
                continue
            id_ = fresh_id()
            event = envelope(entry, id_, context.account, context.region, self._clock.now())
            events.append((key, event))
            told.append({"EventId": id_})
        await self._router.accept(events)
        return {
            "FailedEntryCount": sum("ErrorCode" in each for each in told),
            "Entries": told,
        }

    def _refusal(self, context: RequestContext, key: ShelfKey) -> tuple[str, str] | None:
        if key.account == context.account:
            return None
        bus = self._buses.at(key)
        policy = None if bus is None else bus.policy or None
        arn = arn_of_bus(key)
        if resource_policy_allows(policy, root(context.account), "events:PutEvents", arn):
            return None
        return "AccessDeniedException", f"{context.account} may not put events on {arn}."

    async def deliver(self, delivery: Delivery) -> None:
        """A bus as the target of what is told of an asynchronous invocation."""
        await self.put_own(delivery.target, bus_entry(delivery), delivery.account)

    async def put_own(self, arn: str, entry: Mapping[str, Any], account: str) -> None:
        """Take an event of AWS's own; it is on disk when this returns. CallerError if it cannot."""
        key = bus_key_of(arn)
        if key is None or self._buses.at(key) is None:
            raise not_found(f"Event bus {arn} does not exist.")
        error = entry_error(entry, is_ours=True)
        if error is not None:
            raise CallerError(*error, status=400)
        event = envelope(entry, fresh_id(), account, key.region, self._clock.now())
        await self._router.accept([(key, event)])

    async def put_parcel(self, parcel: Parcel, key: ShelfKey | None) -> None:
        """Take an event that a rule of another bus, or a schedule, sends."""
        if key is None or self._buses.at(key) is None:
            raise not_found(f"Event bus {parcel.target} does not exist.")
        named = parcel.settings.get("EventBridgeParameters")
        if named is None:
            await self._router.accept([(key, json.loads(parcel.body))], hops=1)
            return
        entry = {**named, "Detail": parcel.body}
        error = entry_error(entry)
        if error is not None:
            raise CallerError(*error, status=400)
        event = envelope(entry, fresh_id(), parcel.account, key.region, self._clock.now())
        await self._router.accept([(key, event)])

    async def emit(self, account: str, region: str, entry: Mapping[str, Any]) -> None:
        """Take an event that a service of AWS, such as S3, puts on the default bus."""
        await self.put_own(arn_of_bus(ShelfKey(account, region, DEFAULT)), entry, account)
