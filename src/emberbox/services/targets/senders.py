"""The ways to targets, by the service that their ARNs name, each allowed by who must allow it."""

import hashlib
import json
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from emberbox.errors import CallerError
from emberbox.model.parcels import Parcel
from emberbox.records import dataclass
from emberbox.services.to_queues import SendToQueue

_DENIED: Final = 403

May = Callable[[Parcel, str, str], Awaitable[bool]]
"""(parcel, action, ARN): whether the sender may do that to the resource."""


@dataclass(slots=True)
class Ways:
    """What brings parcels in; CallerError says that it never will.

    `invoke` takes the ARN of a function and a payload, `publish` the ARN of a topic and a message,
    `write` the ARN of a log group, a stream's name and a message, `put` the ARN of a bus and an
    entry (account, region, event), `call` a parcel for an API destination.
    """

    invoke: Callable[[str, bytes], Awaitable[object]]
    send: SendToQueue
    publish: Callable[[str, str], Awaitable[None]]
    write: Callable[[str, str, str], Awaitable[None]]
    put: Callable[[Parcel], Awaitable[None]]
    call: Callable[[Parcel], Awaitable[None]]
    universal: Callable[[Parcel, int], Awaitable[None]]


class Senders:
    """Sends parcels by their targets' ARNs."""

    def __init__(self, ways: Ways, may: May) -> None:
        self._ways = ways
        self._may = may

    async def send(self, parcel: Parcel, tries: int) -> None:
        """Return once the target has it; errors as for `dispatching.Send`."""
        ways = self._ways
        match kind_of(parcel.target):
            case "lambda":
                await self._check(parcel, "lambda:InvokeFunction", parcel.target)
                await ways.invoke(parcel.target, parcel.body.encode())
            case "sqs":
                await self._to_queue(parcel)
            case "sns":
                await self._check(parcel, "sns:Publish", parcel.target)
                await ways.publish(parcel.target, parcel.body)
            case "logs":
                await self._to_logs(parcel)
            case "bus":
                await self._check(parcel, "events:PutEvents", parcel.target)
                await ways.put(parcel)
            case "api":
                await self._check(parcel, "events:InvokeApiDestination", parcel.target)
                await ways.call(parcel)
            case "universal":
                await ways.universal(parcel, tries)
            case _:
                raise CallerError("InvalidTarget", f"{parcel.target} is no target", status=400)

    async def bury(self, parcel: Parcel, told: Mapping[str, str]) -> None:
        """Put a dead letter into its queue."""
        await self._check(parcel, "sqs:SendMessage", parcel.dead_letters)
        attributes = {
            name: {"DataType": "String", "StringValue": value} for name, value in told.items()
        }
        await self._ways.send(parcel.dead_letters, parcel.body, attributes)

    async def _to_queue(self, parcel: Parcel) -> None:
        await self._check(parcel, "sqs:SendMessage", parcel.target)
        group = (parcel.settings.get("SqsParameters") or {}).get("MessageGroupId")
        is_fifo = parcel.target.endswith(".fifo")
        once = f"{parcel.source} {parcel.accepted} {parcel.body}".encode()
        await self._ways.send(
            parcel.target,
            parcel.body,
            {},
            group_id=group,
            deduplication_id=hashlib.sha256(once).hexdigest() if is_fifo else None,
        )

    async def _to_logs(self, parcel: Parcel) -> None:
        await self._check(parcel, "logs:PutLogEvents", parcel.target)
        stream = str(uuid.uuid5(uuid.NAMESPACE_URL, parcel.source))
        message = parcel.body
        try:
            given = json.loads(parcel.body)
        except ValueError:
            given = None
        if isinstance(given, dict) and given.keys() == {"timestamp", "message"}:
            message = str(given["message"])
        await self._ways.write(parcel.target, stream, message)

    async def _check(self, parcel: Parcel, action: str, arn: str) -> None:
        if not await self._may(parcel, action, arn):
            text = f"{parcel.role or parcel.principal} may not do {action} to {arn}"
            raise CallerError("NO_PERMISSIONS", text, status=_DENIED)


def kind_of(arn: str) -> str:
    """Which way leads to a target: `lambda`, `sqs`, `sns`, `logs`, `bus`, `api` or `universal`.

    Empty for anything else.
    """
    parts = arn.split(":", 5)
    if len(parts) < 6 or parts[0] != "arn":
        return ""
    service, resource = parts[2], parts[5]
    if service == "events":
        kind = resource.partition("/")[0]
        return {"event-bus": "bus", "api-destination": "api"}.get(kind, "")
    if service == "scheduler":
        return "universal" if resource.startswith("aws-sdk:") else ""
    is_right = {
        "lambda": resource.startswith("function:"),
        "logs": resource.startswith("log-group:"),
        "sqs": bool(resource),
        "sns": bool(resource),
    }
    return service if is_right.get(service) else ""
