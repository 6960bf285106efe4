"""API destinations: create, change, describe, list, delete."""

import uuid
from dataclasses import replace
from typing import Any, Final

from emberbox.clock import Clock
from emberbox.errors import CallerError
from emberbox.model.event_bus import Destination, invalid, not_found
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.services.events.connections import ConnectionOperations
from emberbox.services.events.naming import mine, page, present, stamp
from emberbox.storage.shelf import Shelf, ShelfKey

_RATE: Final = 300


class DestinationOperations:
    """What is done to API destinations."""

    def __init__(
        self, destinations: Shelf[Destination], connections: ConnectionOperations, clock: Clock
    ) -> None:
        self._destinations = destinations
        self._connections = connections
        self._clock = clock

    @property
    def operations(self) -> dict[str, Operation]:
        """By their names in the model."""
        return {
            "CreateApiDestination": self.create_api_destination,
            "DeleteApiDestination": self.delete_api_destination,
            "DescribeApiDestination": self.describe_api_destination,
            "ListApiDestinations": self.list_api_destinations,
            "UpdateApiDestination": self.update_api_destination,
        }

    async def create_api_destination(self, context: RequestContext, params: Params) -> Params:
        """Add an API destination."""
        self._check(params)
        name, now = params["Name"], self._clock.now()
        fresh = Destination(
            context.account,
            context.region,
            name,
            str(uuid.uuid4()),
            params["ConnectionArn"],
            params["InvocationEndpoint"],
            params["HttpMethod"],
            params.get("InvocationRateLimitPerSecond") or _RATE,
            now,
            now,
            params.get("Description") or "",
        )

        def alter(found: Destination | None) -> Destination:
            if found is not None:
                raise CallerError(
                    "ResourceAlreadyExistsException",
                    f"An api-destination '{name}' already exists.",
                    status=400,
                )
            return fresh

        key = ShelfKey(context.account, context.region, name)
        return self._changed(await self._destinations.put(key, alter))

    async def update_api_destination(self, context: RequestContext, params: Params) -> Params:
        """Change what is given."""
        found = self._found(context, params["Name"])
        self._check(params)
        changes: dict[str, Any] = {
            member: params[wire]
            for member, wire in (
                ("description", "Description"),
                ("connection", "ConnectionArn"),
                ("endpoint", "InvocationEndpoint"),
                ("method", "HttpMethod"),
                ("rate", "InvocationRateLimitPerSecond"),
            )
            if params.get(wire) is not None
        }
        now = self._clock.now()
        key = ShelfKey(context.account, context.region, found.name)
        made = await self._destinations.put(
            key, lambda old: replace(old or found, modified=now, **changes)
        )
        return self._changed(made)

    async def delete_api_destination(self, context: RequestContext, params: Params) -> Params:
        """Remove an API destination."""
        found = self._found(context, params["Name"])
        await self._destinations.remove(ShelfKey(context.account, context.region, found.name))
        return {}

    async def describe_api_destination(self, context: RequestContext, params: Params) -> Params:
        """One API destination."""
        found = self._found(context, params["Name"])
        return self._shown(found) | present({"Description": found.description})

    async def list_api_destinations(self, context: RequestContext, params: Params) -> Params:
        """The API destinations of the caller's account."""
        wanted = params.get("ConnectionArn")
        found = [
            each
            for each in mine(self._destinations, context, params.get("NamePrefix"))
            if wanted in (None, each.connection)
        ]
        return page(found, params, "ApiDestinations", self._shown)

    def by_arn(self, arn: str) -> Destination | None:
        """The API destination of an ARN, or None."""
        parts = arn.split(":")
        name = arn.partition(":api-destination/")[2].partition("/")[0]
        found = self._destinations.get(ShelfKey(parts[4], parts[3], name))
        return found if found is not None and found.arn == arn else None

    def _check(self, params: Params) -> None:
        arn, endpoint = params.get("ConnectionArn"), params.get("InvocationEndpoint")
        if arn is not None and self._connections.by_arn(arn) is None:
            raise not_found(f"Connection '{arn.partition(':connection/')[2]}' does not exist.")
        if endpoint is not None and not endpoint.startswith(("https://", "http://")):
            raise invalid("Parameter InvocationEndpoint is not valid.")

    def _found(self, context: RequestContext, name: str) -> Destination:
        found = self._destinations.get(ShelfKey(context.account, context.region, name))
        if found is None:
            raise not_found(
                "Failed to describe the api-destination(s). An api-destination "
                f"'{name}' does not exist."
            )
        return found

    def _changed(self, destination: Destination) -> Params:
        members = ("ApiDestinationArn", "ApiDestinationState", "CreationTime", "LastModifiedTime")
        shown = self._shown(destination)
        return {name: shown[name] for name in members}

    def _shown(self, destination: Destination) -> Params:
        connection = self._connections.by_arn(destination.connection)
        is_active = connection is not None and connection.state == "AUTHORIZED"
        return {
            "ApiDestinationArn": destination.arn,
            "Name": destination.name,
            "ApiDestinationState": "ACTIVE" if is_active else "INACTIVE",
            "ConnectionArn": destination.connection,
            "InvocationEndpoint": destination.endpoint,
            "HttpMethod": destination.method,
            "InvocationRateLimitPerSecond": destination.rate,
            "CreationTime": stamp(destination.created),
            "LastModifiedTime": stamp(destination.modified),
        }
