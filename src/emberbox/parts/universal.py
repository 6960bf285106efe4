"""Universal targets of schedules: any operation of a service of this server, in a role's name.

Source: "Using universal targets" of the EventBridge Scheduler guide.
"""

import json
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple

from emberbox.errors import CallerError, PlatformError
from emberbox.gateway.access.needs import Place
from emberbox.gateway.access.services import ACCESS
from emberbox.gateway.catalog import Catalog, UnknownServiceError
from emberbox.gateway.json_values import decode
from emberbox.gateway.shapes import UnknownOperationError
from emberbox.gateway.validation import validate
from emberbox.gateway.wire import UnreadableError
from emberbox.model.names import function_arn
from emberbox.model.parcels import Parcel
from emberbox.model.request import Operation, Params, RequestContext, Service
from emberbox.services.s3.blobs import Whole
from emberbox.sources.rights import Rights

_NAMES: Final = {"eventbridge": "events", "cloudwatchlogs": "logs"}
_INVOKE: Final = ("lambda", "Invoke")
_READS: Final = ("Get", "Describe", "List", "BatchGet", "Query", "Scan", "Search", "Receive")


class Wanted(NamedTuple):
    """A service and an operation by the names of their models."""

    service: str
    operation: str


class UniversalCalls:
    """See the module. `services` are those of this server, `invoke` queues an event for the
    function with an ARN, once they are there."""

    def __init__(self, roles: Rights) -> None:
        self.services: Mapping[str, Service] = {}
        self.invoke: Callable[[str, bytes], Awaitable[object]] = _nowhere
        self._roles = roles
        self._catalog = Catalog()

    def knows(self, arn: str) -> bool:
        """Whether the ARN of a universal target names something that can be called."""
        wanted = wanted_of(arn)
        if wanted is None or wanted.operation.startswith(_READS):
            return False
        return wanted == _INVOKE or self._operation(wanted) is not None

    async def call(self, parcel: Parcel, _tries: int) -> None:
        """Call the operation; CallerError as it says, or if the role may not."""
        wanted = wanted_of(parcel.target)
        if wanted is None:
            raise CallerError("InvalidTarget", f"{parcel.target} is no target", status=400)
        params = self._params(wanted, json.loads(parcel.body or "{}"))
        await self._check(parcel, wanted, params)
        if wanted == _INVOKE:
            await self.invoke(_function(parcel, params), params.get("Payload") or b"")
            return
        operation = self._operation(wanted)
        if operation is None:
            raise CallerError("InvalidTarget", f"{wanted} is not built", status=400)
        context = RequestContext(
            account=parcel.account,
            region=parcel.region,
            request_id=str(uuid.uuid4()),
            service=wanted.service,
            operation=wanted.operation,
            access_key="",
            endpoint="",
        )
        await operation(context, params)

    def _operation(self, wanted: Wanted) -> Operation | None:
        service = self.services.get(wanted.service)
        return None if service is None else service.operations.get(wanted.operation)

    def _params(self, wanted: Wanted, given: Mapping[str, Any]) -> Params:
        """The request that JSON describes; names may begin in upper or in lower case."""
        try:
            model = self._catalog.model(wanted.service)
            operation = model.operation(wanted.operation)
            members = {} if operation.input is None else dict(operation.input.members)
            names = {name.lower(): name for name in members}
            params: Params = {}
            for name, value in given.items():
                member = names.get(name.lower())
                if member is None:
                    raise CallerError("ValidationException", f"{name} is no member", status=400)
                if wanted == _INVOKE and member == "Payload":
                    params[member] = _payload(value)
                else:
                    params[member] = decode(members[member], value)
        except (UnknownServiceError, UnknownOperationError, UnreadableError) as error:
            raise CallerError("ValidationException", str(error), status=400) from None
        validate(model, operation, params)
        shape = operation.input
        body = "" if wanted.service != "s3" or shape is None else shape.payload or ""
        if isinstance(params.get(body), bytes):
            params[body] = Whole(params[body])
        return params

    async def _check(self, parcel: Parcel, wanted: Wanted, params: Params) -> None:
        access = ACCESS.get(wanted.service)
        place = Place(parcel.account, parcel.region)
        if wanted == _INVOKE:
            needs = [("lambda:InvokeFunction", _function(parcel, params))]
        elif access is None:
            needs = [(f"{wanted.service}:{wanted.operation}", "*")]
        else:
            found = access.needs(wanted.operation, place, params)
            needs = [(need.action, need.resource) for need in found]
        for action, resource in needs:
            if not await self._roles(parcel.role, action, resource):
                text = f"{parcel.role} may not do {action} to {resource}"
                raise CallerError("AccessDeniedException", text, status=403)


async def _nowhere(arn: str, _payload: bytes) -> object:
    raise PlatformError(f"{arn} cannot be invoked yet")


def wanted_of(arn: str) -> Wanted | None:
    """What the ARN of a universal target names, None if it is none."""
    parts = arn.split(":")
    if len(parts) != 8 or parts[5] != "aws-sdk" or not parts[7]:
        return None
    service = _NAMES.get(parts[6], parts[6])
    return Wanted(service, parts[7][0].upper() + parts[7][1:])


def _payload(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()


def _function(parcel: Parcel, params: Params) -> str:
    name = str(params["FunctionName"])
    qualifier = params.get("Qualifier")
    if name.startswith("arn:"):
        return f"{name}:{qualifier}" if qualifier else name
    return function_arn(parcel.account, parcel.region, name, qualifier)
