"""Lambda: functions, their versions and aliases, layers, mappings, and what they are made of."""

from collections.abc import Iterable
from typing import Any

from emberbox.gateway.access.needs import Access, Need, Place, itself, named
from emberbox.model.names import BadNameError, function_arn, parse_function_name
from emberbox.model.request import Params

_SERVICE = "lambda.amazonaws.com"


def function(value: Any, place: Place, _params: Params) -> str:
    """The ARN of a function by any of the forms of its name, without qualifier."""
    try:
        found = parse_function_name(str(value))
    except BadNameError:
        return place.arn("lambda", f"function:{value}")
    return function_arn(found.account or place.account, found.region or place.region, found.name)


def invoked(value: Any, place: Place, params: Params) -> str:
    """The ARN that an invocation names, with its qualifier."""
    try:
        found = parse_function_name(str(value))
    except BadNameError:
        return place.arn("lambda", f"function:{value}")
    qualifier = params.get("Qualifier") or found.qualifier
    account, region = found.account or place.account, found.region or place.region
    return function_arn(account, region, found.name, qualifier)


def _invoke(place: Place, params: Params) -> Iterable[Need]:
    yield Need("lambda:InvokeFunction", invoked(params["FunctionName"], place, params))


def _layer(value: Any, place: Place, params: Params) -> str:
    text = str(value)
    if text.startswith("arn:"):
        return text
    version = params.get("VersionNumber")
    suffix = f":{version}" if version is not None else ""
    return place.arn("lambda", f"layer:{text}{suffix}")


def _made_of(_place: Place, params: Params) -> Iterable[Need]:
    """What a function is given: its role is passed to Lambda, its layers are read,
    its capacity provider is passed on."""
    if params.get("Role"):
        yield Need("iam:PassRole", str(params["Role"]), {"iam:passedtoservice": (_SERVICE,)})
    for layer in params.get("Layers") or ():
        yield Need("lambda:GetLayerVersion", str(layer))
    config = params.get("CapacityProviderConfig") or {}
    for given in config.values():
        yield Need("lambda:PassCapacityProvider", str(given["CapacityProviderArn"]))


def _made(place: Place, params: Params) -> Iterable[Need]:
    """What a new function is given, and its code."""
    yield from _made_of(place, params)
    yield from _read(params.get("Code") or {})


def _read(code: Params) -> Iterable[Need]:
    """Code in a bucket is read for whoever gives it, who must be allowed to read it."""
    if code.get("S3Bucket") and code.get("S3Key"):
        action = "GetObjectVersion" if code.get("S3ObjectVersion") else "GetObject"
        yield Need(f"s3:{action}", f"arn:aws:s3:::{code['S3Bucket']}/{code['S3Key']}")


def _permission(place: Place, params: Params) -> Iterable[Need]:
    context = {"lambda:principal": (str(params.get("Principal", "")),)}
    if params.get("FunctionUrlAuthType"):
        context["lambda:functionurlauthtype"] = (str(params["FunctionUrlAuthType"]),)
    arn = function(params["FunctionName"], place, params)
    yield Need("lambda:AddPermission", arn, context)


def _url(action: str) -> Any:
    def needs(place: Place, params: Params) -> Iterable[Need]:
        auth = params.get("AuthType")
        context = {"lambda:functionurlauthtype": (str(auth),)} if auth else {}
        yield Need(f"lambda:{action}", function(params["FunctionName"], place, params), context)

    return needs


def _new_mapping(place: Place, params: Params) -> Iterable[Need]:
    context = {"lambda:functionarn": (function(params["FunctionName"], place, params),)}
    resource = place.arn("lambda", "event-source-mapping:*")
    yield Need("lambda:CreateEventSourceMapping", resource, context)


LAMBDA = Access(
    "lambda",
    {
        "UUID": named("lambda", "event-source-mapping:{}"),
        "FunctionName": function,
        "LayerName": _layer,
        "Arn": itself,
        "CodeSigningConfigArn": itself,
        "CapacityProviderName": named("lambda", "capacity-provider:{}"),
        "Resource": itself,
        "ResourceArn": itself,
        "DurableExecutionArn": itself,
        "CallbackId": named("lambda", "function:*/durable-execution/*/callback/{}"),
    },
    actions={"GetLayerVersionByArn": "GetLayerVersion"},
    without=frozenset(
        {
            "CreateCodeSigningConfig",
            "GetAccountSettings",
            "ListCapacityProviders",
            "ListCodeSigningConfigs",
            "ListEventSourceMappings",
            "ListFunctions",
            "ListLayers",
            "PutAccountSettings",
        }
    ),
    more={
        "CreateFunction": _made,
        "PublishLayerVersion": lambda _place, params: _read(params["Content"]),
        "UpdateFunctionCode": lambda _place, params: _read(params),
        "UpdateFunctionConfiguration": _made_of,
    },
    instead={
        "Invoke": _invoke,
        "InvokeAsync": _invoke,
        "InvokeWithResponseStream": _invoke,
        "AddPermission": _permission,
        "CreateFunctionUrlConfig": _url("CreateFunctionUrlConfig"),
        "UpdateFunctionUrlConfig": _url("UpdateFunctionUrlConfig"),
        "CreateEventSourceMapping": _new_mapping,
    },
)
