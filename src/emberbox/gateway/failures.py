"""What an error becomes on the wire, before any protocol writes it down: code, status, members.

A service raises `CallerError` with the name of the error shape or with its wire code; both lead to
the same shape of the model, which knows the status and how the message member is spelled.
"""

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Final

from emberbox.errors import CallerError
from emberbox.gateway.shapes import ServiceModel, Shape
from emberbox.records import dataclass

SERVER_FAULT: Final = 500

_SQS_PREFIX: Final = "AWS.SimpleQueueService."
_SQS_CODES: Final = {
    **{
        name: _SQS_PREFIX + name
        for name in (
            "BatchEntryIdsNotDistinct",
            "BatchRequestTooLong",
            "EmptyBatchRequest",
            "InvalidBatchEntryId",
            "MessageNotInflight",
            "PurgeQueueInProgress",
            "QueueDeletedRecently",
            "TooManyEntriesInBatchRequest",
            "UnsupportedOperation",
        )
    },
    "QueueDoesNotExist": "AWS.SimpleQueueService.NonExistentQueue",
    "QueueNameExists": "QueueAlreadyExists",
    "KmsAccessDenied": "KMS.AccessDeniedException",
    "KmsDisabled": "KMS.DisabledException",
    "KmsInvalidKeyUsage": "KMS.InvalidKeyUsageException",
    "KmsInvalidState": "KMS.InvalidStateException",
    "KmsNotFound": "KMS.NotFoundException",
    "KmsOptInRequired": "KMS.OptInRequired",
    "KmsThrottled": "KMS.ThrottlingException",
}
"""SQS: shape name -> code of the query protocol. The model, JSON only by now, has lost them."""

_SQS_SHAPES: Final = {code: name for name, code in _SQS_CODES.items()}
_CAPITAL_MESSAGE: Final = frozenset({"SerializationException", "AccessDeniedException"})
_INTERNAL_CODE: Final = {
    "lambda": "ServiceException",
    "s3": "InternalError",
    "iam": "ServiceFailure",
    "sns": "InternalError",
    "dynamodb": "InternalServerError",
    "dynamodbstreams": "InternalServerError",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """An error with everything a protocol needs to write it.

    `name` is the shape's name (JSON protocols), `code` the one of the XML protocols; they are the
    same for most. `message_key` is how this error spells its message. `shape` is None for errors
    that the model does not hold.
    """

    name: str
    code: str
    message: str
    status: int
    message_key: str = "message"
    shape: Shape | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_callers(self) -> bool:
        """Whether the caller is to blame."""
        return self.status < SERVER_FAULT


def resolve(service: ServiceModel | None, error: CallerError) -> Failure:
    """The failure that a CallerError means for a service; None stands for an unknown service."""
    known = error.code
    if service is not None and service.name == "sqs":
        known = _SQS_SHAPES.get(known, known)
    shape = service.errors.get(known) if service is not None else None
    name = shape.name if shape is not None else known
    status = error.status or _status(shape)
    return Failure(
        name=name,
        code=_query_code(service, shape, name),
        message=error.message,
        status=status,
        message_key=_message_key(shape, name),
        shape=shape,
        fields=_with_type(shape, error.fields, status),
        headers=error.headers,
    )


def internal(
    service: ServiceModel | None, message: str = "An internal error occurred."
) -> CallerError:
    """What a client hears when we are to blame."""
    code = _INTERNAL_CODE.get(service.name, "InternalFailure") if service else "InternalFailure"
    return CallerError(code, message, status=SERVER_FAULT)


def _query_code(service: ServiceModel | None, shape: Shape | None, name: str) -> str:
    if service is not None and service.name == "sqs":
        return _SQS_CODES.get(name, name)
    return str(shape.error.get("code", name)) if shape is not None else name


def _status(shape: Shape | None) -> int:
    if shape is None:
        return 400
    return int(shape.error.get("httpStatusCode", SERVER_FAULT if shape.fault else 400))


def _message_key(shape: Shape | None, name: str) -> str:
    if shape is not None:
        for member, wire_name, _ in shape.fields:
            if member.lower() == "message":
                return wire_name
    return "Message" if name in _CAPITAL_MESSAGE else "message"


def _with_type(shape: Shape | None, given: Mapping[str, Any], status: int) -> Mapping[str, Any]:
    """Lambda's error shapes carry whose fault it was; filled in unless the raiser said.

    Some of the service's errors do not say it: theirs is empty.
    """
    if shape is None or "Type" not in shape.members:
        return given
    if "Type" in given:
        return {name: value for name, value in given.items() if name != "Type" or value}
    return {"Type": "User" if status < SERVER_FAULT else "Service", **given}
