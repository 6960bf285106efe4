"""Rules of asynchronous invocation: when to try again, when to give up, and what is told of it.

Source: "Invoking a Lambda function asynchronously", "How Lambda handles errors and retries with
asynchronous invocation" and "Capturing records of Lambda asynchronous invocations" of AWS's guide.
All times are seconds since the epoch.
"""

import json
from datetime import UTC, datetime
from enum import Enum
from typing import Any, NamedTuple

EVENT_PAYLOAD_MAX_BYTES = 1_048_576
RETRIES_DEFAULT = 2
AGE_MAX_DEFAULT_S = 21_600.0
RECORD_MAX_BYTES = 262_144
ERROR_MESSAGE_MAX = 1_024

_THROTTLED_STATUS = 429
_FIRST_RETRY_S = 60.0
_THROTTLED_FIRST_S = 1.0
_THROTTLED_MOST_S = 300.0


class Condition(Enum):
    """Why nothing more is done for an event, in the words of a destination record."""

    SUCCESS = "Success"
    RETRIES_EXHAUSTED = "RetriesExhausted"
    EVENT_AGE_EXCEEDED = "EventAgeExceeded"
    ZERO_RESERVED_CONCURRENCY = "ZeroReservedConcurrency"


class AsyncPolicy(NamedTuple):
    """How events of one version or alias are treated. Targets are ARNs, empty for none.

    `is_switched_off` says that the function's reserved concurrency is 0.
    """

    retries: int = RETRIES_DEFAULT
    age_max_s: float = AGE_MAX_DEFAULT_S
    on_success: str = ""
    on_failure: str = ""
    dead_letters: str = ""
    role: str = ""
    is_switched_off: bool = False


class QueuedEvent(NamedTuple):
    """One accepted event. `attempts` counts runs of the function, `refusals` what came between.

    `qualifier` is as the caller gave it, empty if not at all.
    """

    account: str
    region: str
    name: str
    qualifier: str
    request_id: str
    payload: bytes
    accepted: float
    due: float
    attempts: int = 0
    refusals: int = 0
    trace: str = ""
    client_context: str = ""
    tenant: str = ""

    @property
    def lane(self) -> tuple[str, str, str]:
        """Events of one function wait in one lane."""
        return (self.account, self.region, self.name)


class Ran(NamedTuple):
    """What a run of the function gave; `status` is 200 also when the function failed.

    Where it could not be run, `status` is that of the refusal, and the payload tells why.
    """

    payload: bytes
    version: str
    failed: bool
    status: int = 200

    @property
    def is_answer(self) -> bool:
        """Whether there is an answer to show: a throttle or a fault of the platform is none."""
        return self.status < _THROTTLED_STATUS


class Again(NamedTuple):
    """The event is to be tried again, not before `due`."""

    due: float
    attempts: int
    refusals: int


class Over(NamedTuple):
    """Nothing more is done; what there is to tell of it."""

    condition: Condition
    attempts: int


def before_run(event: QueuedEvent, policy: AsyncPolicy, now: float) -> Over | None:
    """Whether the event must not be run any more."""
    if policy.is_switched_off:
        return Over(Condition.ZERO_RESERVED_CONCURRENCY, event.attempts)
    if now - event.accepted > policy.age_max_s:
        return Over(Condition.EVENT_AGE_EXCEEDED, event.attempts)
    return None


def after_run(event: QueuedEvent, policy: AsyncPolicy, now: float, *, failed: bool) -> Again | Over:
    """What follows a run: failures are tried again after one minute, then after two."""
    attempts = event.attempts + 1
    if not failed:
        return Over(Condition.SUCCESS, attempts)
    if attempts > policy.retries:
        return Over(Condition.RETRIES_EXHAUSTED, attempts)
    due = now + _FIRST_RETRY_S * 2 ** (attempts - 1)
    if due - event.accepted > policy.age_max_s:
        return Over(Condition.EVENT_AGE_EXCEEDED, attempts)
    return Again(due, attempts, event.refusals)


def after_refusal(event: QueuedEvent, policy: AsyncPolicy, now: float) -> Again | Over:
    """What follows a throttle or a fault of the platform: more patience, up to five minutes."""
    wait = min(_THROTTLED_FIRST_S * 2 ** min(event.refusals, 16), _THROTTLED_MOST_S)
    if now + wait - event.accepted > policy.age_max_s:
        return Over(Condition.EVENT_AGE_EXCEEDED, event.attempts)
    return Again(now + wait, event.attempts, event.refusals + 1)


def destination_record(
    event: QueuedEvent, function_arn: str, over: Over, ran: Ran | None, now: float
) -> dict[str, Any]:
    """The record that destinations get. `function_arn` is qualified."""
    record: dict[str, Any] = {
        "version": "1.0",
        "timestamp": _timestamp(now),
        "requestContext": {
            "requestId": event.request_id,
            "functionArn": function_arn,
            "condition": over.condition.value,
            "approximateInvokeCount": over.attempts,
        },
        "requestPayload": _json(event.payload),
    }
    if ran is not None and ran.is_answer:
        response: dict[str, Any] = {"statusCode": ran.status, "executedVersion": ran.version}
        if ran.failed:
            response["functionError"] = "Unhandled"
        record["responseContext"] = response
        record["responsePayload"] = _json(ran.payload)
    return record


def fitted(record: dict[str, Any], max_bytes: int = RECORD_MAX_BYTES) -> bytes:
    """The record as JSON; without its payloads if it were larger than a message may be."""
    text = json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode()
    if len(text) <= max_bytes:
        return text
    lean = {k: v for k, v in record.items() if k not in ("requestPayload", "responsePayload")}
    return json.dumps(lean, separators=(",", ":")).encode()


def dead_letter_attributes(event: QueuedEvent, ran: Ran | None) -> dict[str, tuple[str, str]]:
    """Attributes of a dead letter: name -> (data type, value)."""
    status = ran.status if ran is not None else 200
    return {
        "RequestID": ("String", event.request_id),
        "ErrorCode": ("Number", str(status)),
        "ErrorMessage": ("String", _error_message(ran)[:ERROR_MESSAGE_MAX]),
    }


def may_start(running: int, of_lane: int, slots: int) -> bool:
    """Whether one more event of a lane may run, with so many of all and of its own running.

    The last quarter of the slots is for functions of which nothing runs: no backlog, however long
    its events take, keeps the others from their turn.
    """
    if running >= slots:
        return False
    return of_lane == 0 or running < max(1, slots - slots // 4)


def _error_message(ran: Ran | None) -> str:
    if ran is None:
        return "The event was dropped before the function could be invoked."
    body = _json(ran.payload)
    message = body.get("errorMessage") if isinstance(body, dict) else None
    return message if isinstance(message, str) and message else "Unhandled"


def _json(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return payload.decode("utf-8", "replace")


def _timestamp(now: float) -> str:
    moment = datetime.fromtimestamp(now, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
