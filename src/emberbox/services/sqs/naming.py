"""How requests to SQS name queues, and the errors that many operations share."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from emberbox.errors import CallerError
from emberbox.model.queue_settings import invalid_value
from emberbox.model.request import Params, RequestContext
from emberbox.storage.queue_records import Queue, QueueKey
from emberbox.storage.queues import QueueStore

_BATCH_MAX = 10
_ID_MAX = 80


def queue_url(context: RequestContext, key: QueueKey) -> str:
    """The URL of a queue at the address by which the client has reached us."""
    return f"{context.endpoint}/{key.account}/{key.name}"


def queue_at(queues: QueueStore, context: RequestContext, url: str) -> Queue:
    """The queue of a URL, whatever its host; MissingQueueError if there is none."""
    try:
        parts = urlsplit(url).path.rstrip("/").split("/")
    except ValueError:
        parts = []
    if len(parts) < 2:
        raise CallerError("InvalidAddress", f"The address {url[:256]} is not valid.", status=404)
    account = parts[-2] if parts[-2].isdigit() else context.account
    return queues.at(QueueKey(account, context.region, parts[-1]))


def missing() -> CallerError:
    """The queue does not exist."""
    return CallerError("QueueDoesNotExist", "The specified queue does not exist.", status=400)


def missing_parameter(name: str) -> CallerError:
    """A parameter that is needed was not given."""
    return CallerError(
        "MissingParameter", f"The request must contain the parameter {name}.", status=400
    )


def bad_value(value: object, parameter: str, reason: str) -> CallerError:
    """A parameter has a value that it cannot have."""
    return invalid_value(
        f"Value {str(value)[:2048]} for parameter {parameter} is invalid. Reason: {reason}"
    )


def in_range(params: Params, name: str, low: int, high: int, reason: str) -> int | None:
    """A whole number within its limits, None if it was not given."""
    value = params.get(name)
    if value is not None and not low <= value <= high:
        raise bad_value(value, name, reason)
    return value


def check_entries(entries: Sequence[Params], shape: str) -> None:
    """CallerError for a batch that is empty, too long, or whose ids are wrong."""
    if not entries:
        raise CallerError(
            "EmptyBatchRequest",
            f"There should be at least one {shape} in the request.",
            status=400,
        )
    if len(entries) > _BATCH_MAX:
        raise CallerError(
            "TooManyEntriesInBatchRequest",
            f"Maximum number of entries per request are {_BATCH_MAX}. You have sent "
            f"{len(entries)}.",
            status=400,
        )
    seen: set[str] = set()
    for entry in entries:
        if not _is_entry_id(entry["Id"]):
            raise CallerError(
                "InvalidBatchEntryId",
                "A batch entry id can only contain alphanumeric characters, hyphens and "
                "underscores. It can be at most 80 letters long.",
                status=400,
            )
        if entry["Id"] in seen:
            raise CallerError("BatchEntryIdsNotDistinct", f"Id {entry['Id']} repeated.", status=400)
        seen.add(entry["Id"])


def _is_entry_id(text: str) -> bool:
    bare = text.replace("-", "").replace("_", "")
    return 0 < len(text) <= _ID_MAX and text.isascii() and (not bare or bare.isalnum())


def failed_entry(entry: Params, error: CallerError) -> Params:
    """An entry of a batch that was refused."""
    return {"Id": entry["Id"], "SenderFault": True, "Code": error.code, "Message": error.message}
