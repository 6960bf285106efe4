"""The segments that Lambda writes itself: of the service, and of the function.

Source: "Visualize Lambda function invocations using AWS X-Ray" of Lambda's guide.
"""

from typing import Any, Final, NamedTuple

from emberbox.model.function import FunctionVersion
from emberbox.model.function_errors import FunctionError
from emberbox.model.report import Measurement
from emberbox.model.xray.segments import Document

_CODE: Final = "/var/task"


class Traced(NamedTuple):
    """An invocation whose trace is sampled. Times are seconds since the epoch.

    `parent` is the segment of the caller, empty for none; `service_id`, `attempt_id` and
    `function_id` are those of Lambda's own. `accepted` is when an asynchronous event was, else 0.
    """

    trace_id: str
    parent: str
    service_id: str
    function_id: str
    attempt_id: str
    request_id: str
    arrived: float
    accepted: float = 0.0
    attempt: int = 1


def service_segment(
    function: FunctionVersion, traced: Traced, end: float, status: int, *, failed: bool
) -> Document:
    """AWS::Lambda: from the request until its answer; `status` is that of the answer."""
    segment: Document = {
        "id": traced.service_id,
        "trace_id": traced.trace_id,
        "name": function.name,
        "start_time": traced.accepted or traced.arrived,
        "end_time": end,
        "origin": "AWS::Lambda",
        "resource_arn": function.arn,
        "http": {"response": {"status": status}},
        "aws": {"request_id": traced.request_id, "account_id": function.account},
        **_result(status, failed=failed),
    }
    if traced.parent:
        segment["parent_id"] = traced.parent
    if traced.accepted:
        waited = _part("Dwell Time", _other(traced.attempt_id), traced.accepted, traced.arrived)
        name = f"Attempt #{traced.attempt}"
        attempt = _part(name, traced.attempt_id, traced.arrived, end)
        segment["subsegments"] = [waited, {**attempt, **_result(status, failed=failed)}]
    return segment


def function_segment(
    function: FunctionVersion,
    traced: Traced,
    measured: Measurement,
    end: float,
    failure: FunctionError,
) -> Document:
    """AWS::Lambda::Function, with Initialization, Invocation and Overhead.

    `failure` is what a function that failed says of it.
    """
    began = end - measured.duration_ms / 1000
    answered = end - (measured.extensions_ms or 0.0) / 1000
    parts: list[Document] = []
    start = began
    if measured.init_ms is not None:
        start = began - measured.init_ms / 1000
        parts.append(_part("Initialization", _other(traced.function_id, 1), start, began))
    invocation = _part("Invocation", _other(traced.function_id, 2), began, answered)
    parts.append({**invocation, **({"fault": True} if measured.failed else {})})
    parts.append(_part("Overhead", _other(traced.function_id, 3), answered, end))
    segment: Document = {
        "id": traced.function_id,
        "trace_id": traced.trace_id,
        "parent_id": traced.attempt_id if traced.accepted else traced.service_id,
        "name": function.name,
        "start_time": start,
        "end_time": end,
        "origin": "AWS::Lambda::Function",
        "resource_arn": function.arn,
        "aws": {
            "request_id": traced.request_id,
            "account_id": function.account,
            "function_arn": function.arn,
            "resource_names": [function.name],
            "cold_start": measured.init_ms is not None or measured.restored is not None,
        },
        "subsegments": parts,
    }
    if measured.failed:
        segment["fault"] = True
        known = measured.error_type or measured.status or "Unhandled"
        segment["cause"] = _cause(_other(traced.function_id, 4), failure, known)
    return segment


def _cause(exception_id: str, failure: FunctionError, known: str) -> Document:
    """Why it failed; `known` is the platform's name for that."""
    exception: Document = {"id": exception_id, "type": failure.type or known}
    if failure.message:
        exception["message"] = failure.message
    if not failure.frames:
        return {"exceptions": [exception]}
    exception["stack"] = [frame._asdict() for frame in failure.frames]
    paths = list(dict.fromkeys(frame.path for frame in failure.frames))
    return {"working_directory": _CODE, "paths": paths, "exceptions": [exception]}


def _result(status: int, *, failed: bool) -> dict[str, Any]:
    if status == 429:
        return {"error": True, "throttle": True}
    if failed or status >= 500:
        return {"fault": True}
    return {"error": True} if status >= 400 else {}


def _part(name: str, segment_id: str, start: float, end: float) -> Document:
    return {"id": segment_id, "name": name, "start_time": start, "end_time": max(start, end)}


def _other(segment_id: str, number: int = 1) -> str:
    """Another id that nobody has: the first eight digits are random, and enough."""
    return f"{int(segment_id, 16) ^ number << 1:016x}"
