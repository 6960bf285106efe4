"""What of Application Auto Scaling is built, and its names: provisioned concurrency of Lambda.

Source: API reference of Application Auto Scaling; "AWS Lambda and Application Auto Scaling".
"""

import base64
import re
from collections.abc import Iterable
from typing import Any, Final

from emberbox.clock import utc
from emberbox.errors import CallerError
from emberbox.model.request import Params, RequestContext

NAMESPACE: Final = "lambda"
DIMENSION: Final = "lambda:function:ProvisionedConcurrency"
METRIC: Final = "LambdaProvisionedConcurrencyUtilization"

_RESOURCE: Final = re.compile(r"function:([a-zA-Z0-9-_]{1,64}):([a-zA-Z0-9-_]{1,128})\Z")
_PAGE_MAX: Final = 50


def invalid(text: str) -> CallerError:
    """ValidationException."""
    return CallerError("ValidationException", text, status=400)


def place_of(context: RequestContext, params: Params) -> tuple[str, str, str]:
    """The target that a request names; CallerError for what is not built."""
    check_namespace(params)
    dimension = params["ScalableDimension"]
    if dimension != DIMENSION:
        raise invalid(
            f"Emberbox does not build the scalable dimension {dimension}: only {DIMENSION}"
        )
    function_of(params["ResourceId"])
    return context.account, context.region, params["ResourceId"]


def check_namespace(params: Params) -> None:
    """CallerError unless it is Lambda's."""
    namespace = params["ServiceNamespace"]
    if namespace != NAMESPACE:
        raise invalid(
            f"Emberbox does not build the service namespace {namespace}: only {NAMESPACE}"
        )


def function_of(resource_id: str) -> tuple[str, str]:
    """Name and qualifier of a function in a resource id; CallerError if it has another form."""
    found = _RESOURCE.match(resource_id)
    if found is None:
        raise invalid(
            f"Unsupported resource ID, should be of form function:NAME:QUALIFIER, got {resource_id}"
        )
    return found[1], found[2]


def missing(what: str, params: Params) -> CallerError:
    """ObjectNotFoundException."""
    return CallerError(
        "ObjectNotFoundException",
        f"No {what} found for service namespace: {params['ServiceNamespace']}, resource ID: "
        f"{params['ResourceId']}, scalable dimension: {params['ScalableDimension']}",
        status=400,
    )


def shown_place(resource_id: str) -> Params:
    """The members that name a target in answers."""
    return {
        "ServiceNamespace": NAMESPACE,
        "ResourceId": resource_id,
        "ScalableDimension": DIMENSION,
    }


def page(member: str, things: Iterable[Params], params: Params) -> Params:
    """The page of a list that MaxResults and NextToken ask for."""
    listed, token = list(things), params.get("NextToken")
    try:
        first = int(base64.b64decode(token, validate=True)) if token else 0
    except ValueError:
        raise CallerError("InvalidNextTokenException", "The token is none of ours.") from None
    size = min(params.get("MaxResults") or _PAGE_MAX, _PAGE_MAX)
    shown: Params = {member: listed[first : first + size]}
    if len(listed) > first + size:
        shown["NextToken"] = base64.b64encode(str(first + size).encode()).decode()
    return shown


def moment(epoch_s: float) -> Any:
    """A timestamp of an answer."""
    return utc(epoch_s)
