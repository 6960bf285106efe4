"""Buses of another server, as those use them who put events on buses here."""

from collections.abc import Mapping
from typing import Any, Final

from emberbox.errors import CallerError, PlatformError
from emberbox.model.async_deliveries import Delivery, bus_entry
from emberbox.model.parcels import Parcel
from emberbox.services.elsewhere import Elsewhere

_LATER: Final = frozenset({"InternalFailure", "InternalException", "ThrottlingException"})


class BusesElsewhere:
    """Puts events on buses by their ARN."""

    def __init__(self, service: Elsewhere) -> None:
        self._service = service

    async def deliver(self, delivery: Delivery) -> None:
        """A bus as the target of what is told of an asynchronous invocation."""
        await self._put(delivery.target, bus_entry(delivery))

    async def put(self, parcel: Parcel) -> None:
        """A bus as the target of a schedule."""
        named = parcel.settings["EventBridgeParameters"]
        entry = {**named, "Detail": parcel.body, "EventBusName": parcel.target}
        await self._put(parcel.target, entry)

    async def _put(self, arn: str, entry: Mapping[str, Any]) -> None:
        region = arn.split(":")[3]
        answer = await self._service.call(region, "put_events", Entries=[entry])
        if not answer.get("FailedEntryCount"):
            return
        told = answer["Entries"][0]
        code, message = told.get("ErrorCode", ""), told.get("ErrorMessage", "")
        if code in _LATER:
            raise PlatformError(f"{code}: {message}")
        raise CallerError(code, message, status=400)
