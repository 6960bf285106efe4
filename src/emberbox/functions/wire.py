"""Between the wire's members and `FunctionVersion`: no other module spells both.

What a request may say is checked here too, as far as its members alone decide it.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from operator import itemgetter
from typing import Any, Final

from emberbox.functions.file_systems import check_file_system
from emberbox.functions.managed import NO_EFFECT, shown_managed, with_managed
from emberbox.functions.optional import SETTINGS, check_optional, shown_optional, with_image
from emberbox.functions.package_type import check_kind
from emberbox.functions.stamps import timestamp
from emberbox.functions.unbuilt import refuse_unbuilt
from emberbox.model.configuration import check_environment, check_sizes, check_tags, invalid
from emberbox.model.function import FunctionVersion, Layer, Logging, Vpc
from emberbox.model.layers import check_together
from emberbox.model.names import function_arn
from emberbox.model.request import Params
from emberbox.model.snapstart import check_snap_start
from emberbox.model.tenancy import check_tenancy
from emberbox.runtimes.registry import RUNTIMES, runtime_version_arn

_VOLATILE: Final = (
    "State",
    "StateReason",
    "StateReasonCode",
    "LastUpdateStatus",
    "LastUpdateStatusReason",
    "LastUpdateStatusReasonCode",
    "RuntimeVersionConfig",
)
"""What lists of functions leave out."""

_ON_PUBLISHED: Final = "PublishedVersions"


def _variables(value: Mapping[str, Any]) -> dict[str, str]:
    return dict(value.get("Variables") or {})


def _applies(value: Mapping[str, Any]) -> bool:
    return value.get("ApplyOn") == _ON_PUBLISHED


_SETTINGS: Final[Mapping[str, tuple[str, Callable[[Any], Any]]]] = {
    "Role": ("role", str),
    "Runtime": ("runtime", str),
    "Handler": ("handler", str),
    "Description": ("description", str),
    "Timeout": ("timeout_s", int),
    "MemorySize": ("memory_mb", int),
    "EphemeralStorage": ("ephemeral_mb", itemgetter("Size")),
    "Environment": ("environment", _variables),
    "Architectures": ("architecture", itemgetter(0)),
    "TracingConfig": ("tracing_mode", lambda config: config.get("Mode") or "PassThrough"),
    **SETTINGS,
    "SnapStart": ("snap_start", _applies),
}
"""Member -> field and how its value is read."""


def check_settings(params: Params, timeout_max_s: int) -> None:
    """CallerError unless a function can have all that a request sets."""
    refuse_unbuilt(params)
    check_sizes(
        params.get("Timeout"),
        params.get("MemorySize"),
        (params.get("EphemeralStorage") or {}).get("Size"),
        timeout_max_s,
    )
    if params.get("Runtime") is not None:
        _check_runtime(params["Runtime"])
    check_optional(params)
    check_environment(_variables(params.get("Environment") or {}))
    check_tags(params.get("Tags") or {})


def with_settings(
    function: FunctionVersion, params: Params, layers: tuple[Layer, ...] | None = None
) -> FunctionVersion:
    """The function with what a checked request sets; what is absent stays, so do layers of None."""
    changes = {
        field: read(params[member])
        for member, (field, read) in _SETTINGS.items()
        if params.get(member) is not None
    }
    if layers is not None:
        changes["layers"] = layers
    if changes.get("vpc", function.vpc) is None and function.vpc is not None:
        changes["vpc"] = Vpc((), ())
    changes["image"] = with_image(function.image, params)
    changes["managed"] = with_managed(function.managed, params)
    after = replace(function, **changes, logging=_with_logging(function.logging, params))
    check_kind(after, params)
    check_together(after)
    check_snap_start(after)
    check_file_system(after)
    check_tenancy(after)
    return after


def configuration(function: FunctionVersion, qualifier: str | None = None) -> Params:
    """`FunctionConfiguration`, its ARN with the qualifier; what was never set is absent."""
    shown = {
        "FunctionName": function.name,
        "FunctionArn": function_arn(*function.key, qualifier),
        "Runtime": function.runtime or None,
        "Role": function.role,
        "Handler": function.handler or None,
        "CodeSize": function.code_size,
        "Description": function.description,
        "Timeout": function.timeout_s,
        "MemorySize": function.memory_mb,
        "LastModified": timestamp(function.last_modified),
        "CodeSha256": function.code_sha256 or None,
        "Version": function.version,
        "Environment": _environment(function),
        "TracingConfig": {"Mode": function.tracing_mode},
        "RevisionId": function.revision_id,
        "State": function.state.value,
        "StateReason": function.state_reason or (NO_EFFECT if function.managed else None),
        "StateReasonCode": function.state_reason_code,
        "LastUpdateStatus": function.update_status.value if function.update_status else None,
        "LastUpdateStatusReason": function.update_reason,
        "LastUpdateStatusReasonCode": function.update_reason_code,
        "PackageType": "Zip" if function.image is None else "Image",
        "Architectures": [function.architecture],
        "EphemeralStorage": {"Size": function.ephemeral_mb},
        "SnapStart": _snap_start(function),
        "RuntimeVersionConfig": (
            {"RuntimeVersionArn": runtime_version_arn(function.region, function.runtime)}
            if function.runtime
            else None
        ),
        "LoggingConfig": _logging(function.logging),
        **shown_optional(function),
        **shown_managed(function.managed),
    }
    return {member: value for member, value in shown.items() if value is not None}


def listed(function: FunctionVersion, qualifier: str | None = None) -> Params:
    """`FunctionConfiguration` as lists show it: without states."""
    shown = configuration(function, qualifier)
    return {member: value for member, value in shown.items() if member not in _VOLATILE}


def _snap_start(function: FunctionVersion) -> Params:
    return {
        "ApplyOn": _ON_PUBLISHED if function.snap_start else "None",
        "OptimizationStatus": "On" if function.snap_optimized else "Off",
    }


def _environment(function: FunctionVersion) -> Params | None:
    if function.environment is None:
        return None
    return {"Variables": dict(function.environment)}


def _logging(logging: Logging) -> Params:
    shown = {
        "LogFormat": logging.format,
        "ApplicationLogLevel": logging.application_level,
        "SystemLogLevel": logging.system_level,
        "LogGroup": logging.group,
    }
    return {member: value for member, value in shown.items() if value is not None}


def _check_runtime(identifier: str) -> None:
    runtime = RUNTIMES.get(identifier)
    if runtime is None:
        known = ", ".join(each.identifier for each in RUNTIMES.values() if each.can_be_chosen)
        raise invalid(
            f"Value {identifier} at 'runtime' failed to satisfy constraint: Member must satisfy "
            f"enum value set: [{known}] or be a valid ARN"
        )
    if not runtime.can_be_chosen:
        raise invalid(
            f"The runtime parameter of {identifier} is no longer supported for creating or "
            "updating AWS Lambda functions. We recommend you use the new runtime "
            f"({runtime.successor}) while creating or updating functions."
        )


def _with_logging(logging: Logging, params: Params) -> Logging:
    """What a request makes of it; levels exist with JSON alone, and are INFO if nothing is said."""
    given: Mapping[str, Any] = params.get("LoggingConfig") or {}
    format_ = given.get("LogFormat") or logging.format
    application, system = given.get("ApplicationLogLevel"), given.get("SystemLogLevel")
    group = given.get("LogGroup") or logging.group
    if format_ == "JSON":
        return Logging(
            group,
            format_,
            application or logging.application_level or "INFO",
            system or logging.system_level or "INFO",
        )
    if application or system:
        raise invalid(
            'LogLevel is not supported when LogFormat is set to "Text". Remove LogLevel from your '
            'request or change the LogFormat to "JSON" and try again.'
        )
    return Logging(group, format_)
