"""What spans say, by OpenTelemetry's semantic conventions, and when they are errors.

Source: "Semantic conventions" of OpenTelemetry: HTTP server spans, FaaS spans, AWS Lambda,
messaging spans, AWS SDK. What these have no name for begins with `emberbox.`.
"""

from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import unquote

from emberbox.errors import CallerError
from emberbox.model.async_deliveries import Delivery
from emberbox.model.async_invocation import Again, Over, QueuedEvent, Ran
from emberbox.model.function import FunctionVersion
from emberbox.model.function_errors import FunctionError
from emberbox.model.invocation import Invocation
from emberbox.model.names import function_arn
from emberbox.model.report import Measurement
from emberbox.model.spans import Attributes, Resource, Said, Value

PROVIDER: Final = "emberbox"
_TEXT_MAX: Final = 1_024
_NAME_MAX: Final = 140
_RESOURCES: Final = 1_024
_MB: Final = 1 << 20
_NO_FAILURE: Final = FunctionError()
_SYSTEMS: Final = {"sqs": "aws_sqs", "sns": "aws.sns", "events": "aws_eventbridge"}


class Asked(NamedTuple):
    """A request as the gateway met it: what a span of it says besides its answer."""

    method: str
    path: str
    scheme: str
    request_id: str
    client: str = ""
    user_agent: str = ""


class Answered(NamedTuple):
    """How it was answered: `code` is the error's own name, empty for none or an unknown one.

    `failed` says that a function ran and failed, which HTTP's status does not show.
    """

    status: int
    code: str = ""
    failed: bool = False


def of_request(
    asked: Asked, answered: Answered, operation: str, more: Said | None = None
) -> Attributes:
    """Of a request at the gateway. `operation` is `Service/Operation`, empty for a page.

    `more` is what it says besides.
    """
    found: dict[str, Value] = {
        "http.request.method": asked.method,
        "http.response.status_code": answered.status,
        "url.path": asked.path[:_TEXT_MAX],
        "url.scheme": asked.scheme,
        "aws.request_id": asked.request_id,
    }
    if asked.client:
        found["client.address"] = asked.client
    if asked.user_agent:
        found["user_agent.original"] = asked.user_agent[:_TEXT_MAX]
    if operation:
        found["rpc.system.name"] = "aws-api"
        found["rpc.method"] = operation
    if answered.code or answered.status >= 400:
        found["error.type"] = answered.code or str(answered.status)
    if more is not None:
        found.update(more())
    return found


def error_of_request(answered: Answered) -> str | None:
    """The error of a server's span: what is the caller's fault is none."""
    if answered.failed:
        return "the function failed"
    return (answered.code or "the server failed") if answered.status >= 500 else None


def invoked(account: str, region: str, name: str, qualifier: str = "") -> Attributes:
    """Of a span that invokes a function."""
    return {
        "faas.invoked_name": name,
        "faas.invoked_provider": PROVIDER,
        "faas.invoked_region": region,
        "aws.lambda.invoked_arn": function_arn(account, region, name, qualifier or None),
    }


def resource_of(function: FunctionVersion) -> Resource:
    """A version of a function as what its spans are about."""
    return _resource(*function.key, function.version, function.memory_mb)


def invoked_by_name(name: str, qualifier: str | None, account: str, region: str) -> Attributes:
    """The same for a function that is named as a request to invoke it does."""
    bare = unquote(name).rpartition("function:")[2].partition(":")[0]
    return invoked(account, region, bare[:_NAME_MAX], (qualifier or "")[:_NAME_MAX])


@lru_cache(_RESOURCES)
def _resource(account: str, region: str, name: str, version: str, memory_mb: int) -> Resource:
    return (
        ("service.name", name),
        ("faas.name", name),
        ("faas.version", version),
        ("faas.max_memory", memory_mb * _MB),
        ("cloud.provider", PROVIDER),
        ("cloud.region", region),
        ("cloud.account.id", account),
        ("cloud.resource_id", function_arn(account, region, name, version)),
    )


def of_invocation(
    invocation: Invocation,
    measured: Measurement,
    trigger: str,
    failure: FunctionError = _NO_FAILURE,
) -> Attributes:
    """Of an invocation that has run; `failure` is what its function says of it."""
    found: dict[str, Value] = {
        "faas.invocation_id": invocation.request_id,
        "faas.trigger": trigger,
        "faas.coldstart": is_cold(measured),
        "aws.lambda.invoked_arn": invocation.invoked_arn,
        "aws.request_id": invocation.request_id,
        "emberbox.billed_duration_ms": measured.billed_ms,
        "emberbox.max_memory_used": measured.memory_peak_mb * _MB,
    }
    if measured.cpu_ms >= 0:
        found["emberbox.cpu_ms"] = round(measured.cpu_ms, 3)
    if invocation.tenant:
        found["emberbox.tenant_id"] = invocation.tenant[:_TEXT_MAX]
    if measured.failed:
        found["error.type"] = failure.type or _error_type(measured)
    return found


def error_of_invocation(measured: Measurement, failure: FunctionError = _NO_FAILURE) -> str | None:
    """The error of a function that failed, in whatever way: in its own words, if it has any."""
    if not measured.failed:
        return None
    return failure.message or failure.type or _error_type(measured)


def of_refusal(request_id: str, code: str, trigger: str) -> Attributes:
    """Of an invocation that could not be run."""
    return {
        "faas.invocation_id": request_id,
        "faas.trigger": trigger,
        "aws.request_id": request_id,
        "error.type": code,
    }


def refusal_of(error: BaseException) -> tuple[str, str]:
    """The name and the text of what kept an invocation from running, the caller's fault or ours."""
    code = error.code if isinstance(error, CallerError) else type(error).__name__
    return code, (str(error) or code)[:_TEXT_MAX]


def is_cold(measured: Measurement) -> bool:
    """Whether the caller waited for an environment to begin its life."""
    return (measured.init_ms is not None and measured.is_init_billed) or (
        measured.restored is not None
    )


def beginning_of(measured: Measurement) -> tuple[str, float] | None:
    """The name of the phase that an environment began with just before, and its milliseconds.

    None for a warm start, and for an environment that was initialised ahead of need.
    """
    if measured.restored is not None:
        return "RESTORE", measured.restored.total_ms
    if measured.init_ms is not None and measured.is_init_billed:
        return "INIT", measured.init_ms
    return None


def of_attempt(event: QueuedEvent, verdict: Again | Over | None, now: float) -> Attributes:
    """Of one attempt to run an event's function; `now` is when it began."""
    found: dict[str, Value] = {
        **invoked(event.account, event.region, event.name, event.qualifier),
        "aws.request_id": event.request_id,
        "emberbox.event.attempt": event.attempts + 1,
        "emberbox.event.refusals": event.refusals,
        "emberbox.event.age_s": round(now - event.accepted, 3),
    }
    match verdict:
        case Again():
            found["emberbox.event.outcome"] = "Retry"
            found["emberbox.event.retry_in_s"] = round(verdict.due - now, 3)
        case Over():
            found["emberbox.event.outcome"] = verdict.condition.value
        case None:
            found["emberbox.event.outcome"] = "FunctionDeleted"
    return found


def error_of_attempt(verdict: Again | Over | None, ran: Ran | None) -> str | None:
    """The error of an attempt: the function failed, or could not be run."""
    if ran is not None and ran.failed:
        return "the function failed" if ran.version else "the function could not be run"
    if isinstance(verdict, Over) and ran is None:
        return verdict.condition.value
    return None


def of_batch(source_arn: str, records: int) -> Attributes:
    """Of a batch that a poller has read."""
    return {
        "messaging.system": _system(source_arn),
        "messaging.destination.name": resource_name(source_arn),
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.batch.message_count": records,
    }


def of_delivery(delivery: Delivery, size: int, attempt: int) -> Attributes:
    """Of one try to bring a record or a dead letter to its target."""
    return {
        "messaging.system": _system(delivery.target),
        "messaging.destination.name": resource_name(delivery.target),
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.message.body.size": size,
        "emberbox.delivery.kind": delivery.kind,
        "emberbox.delivery.attempt": attempt,
        "emberbox.delivery.about": function_arn(delivery.account, delivery.region, delivery.name),
    }


def resource_name(arn: str) -> str:
    """What an ARN names: the part behind the account, without its kind."""
    name = arn.split(":", 5)[-1]
    return name.removeprefix("function:").removeprefix("event-bus/")


def _system(arn: str) -> str:
    """`messaging.system`; services that the conventions do not know by their own names."""
    parts = arn.split(":")
    service = parts[2] if len(parts) > 2 else "unknown"
    return _SYSTEMS.get(service, f"aws_{service}")


def _error_type(measured: Measurement) -> str:
    return measured.error_type or measured.status or "Unhandled"
