"""Attributes of a message, as SQS and SNS take them: their rules, size and checksum.

Source: SQS developer guide, "Message metadata" (the MD5 is what the SDKs verify).
"""

import base64
import hashlib
import re
import struct
from collections.abc import Mapping
from json import dumps, loads
from typing import Any, Final

from emberbox.errors import CallerError
from emberbox.model.queue_settings import invalid_value

ATTRIBUTES_MAX: Final = 10

Attributes = Mapping[str, Mapping[str, Any]]
"""Name -> members of MessageAttributeValue: DataType and StringValue or BinaryValue."""

_FORBIDDEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NAME: Final = re.compile(r"(?!(?i:aws|amazon)\.)(?!\.)(?!.*\.\.)[\w.-]{1,256}(?<!\.)\Z", re.ASCII)
_TYPE: Final = re.compile(r"(String|Number|Binary)(\.[^\x00-\x1f]{1,249})?\Z")
_NUMBER: Final = re.compile(r"[+-]?(\d{1,200}(\.\d{0,200})?|\.\d{1,200})([eE][+-]?\d{1,3})?\Z")
_STRING: Final = 1
_BINARY: Final = 2


def check_text(text: str) -> None:
    """CallerError for a text with characters that messages cannot have."""
    if _FORBIDDEN.search(text):
        raise CallerError(
            "InvalidMessageContents",
            "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to "
            "#xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF",
            status=400,
        )


def check_attributes(attributes: Attributes) -> None:
    """CallerError for the first attribute that is wrong, or for too many."""
    if len(attributes) > ATTRIBUTES_MAX:
        raise invalid_value(
            f"Number of message attributes [{len(attributes)}] exceeds the allowed maximum "
            f"[{ATTRIBUTES_MAX}]."
        )
    for name, value in attributes.items():
        _check(name, value)


def _check(name: str, value: Mapping[str, Any]) -> None:
    if not _NAME.match(name):
        raise invalid_value(
            f"The message attribute name '{name[:256]}' is invalid. Attribute name can contain "
            "A-Z, a-z, 0-9, underscore (_), hyphen (-), and period (.) characters; it must not "
            "start with AWS. or Amazon., nor start or end with a period."
        )
    if value.get("StringListValues") or value.get("BinaryListValues"):
        raise CallerError(
            "UnsupportedOperation",
            "Message attribute list values in SendMessage operation are not supported.",
            status=400,
        )
    data_type = value.get("DataType", "")
    if not _TYPE.match(data_type):
        raise invalid_value(
            f"The message attribute '{name}' has an invalid message attribute type, the set of "
            "supported type prefixes is Binary, Number, and String."
        )
    member = "BinaryValue" if data_type.startswith("Binary") else "StringValue"
    content = value.get(member)
    if not content:
        raise invalid_value(
            f"The message attribute '{name}' must contain non-empty message attribute value for "
            f"message attribute type '{data_type}'."
        )
    if isinstance(content, str):
        check_text(content)
        if data_type.startswith("Number") and not _NUMBER.match(content):
            raise invalid_value(f"Can't cast the value of message attribute '{name}' to a number.")


def size_bytes(attributes: Attributes) -> int:
    """What attributes add to the size of a message: names, types and values."""
    return sum(
        len(name.encode()) + len(value["DataType"].encode()) + len(_content(value))
        for name, value in attributes.items()
    )


def md5_of(text: str) -> str:
    """The MD5 of a message's body."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def md5_of_attributes(attributes: Attributes) -> str:
    """The MD5 over names, types and values, in the order of the names."""
    digest = hashlib.md5(usedforsecurity=False)
    for name in sorted(attributes):
        value = attributes[name]
        for part in (name.encode(), value["DataType"].encode()):
            digest.update(struct.pack("!I", len(part)) + part)
        content = _content(value)
        kind = _BINARY if "BinaryValue" in value else _STRING
        digest.update(bytes([kind]) + struct.pack("!I", len(content)) + content)
    return digest.hexdigest()


def to_stored(attributes: Attributes) -> str | None:
    """Attributes as one JSON text; None if there are none."""
    if not attributes:
        return None
    return dumps(
        {
            name: {"t": value["DataType"]}
            | (
                {"b": base64.b64encode(value["BinaryValue"]).decode()}
                if "BinaryValue" in value
                else {"s": value["StringValue"]}
            )
            for name, value in attributes.items()
        }
    )


def from_stored(text: str | None) -> dict[str, dict[str, Any]]:
    """Attributes from their JSON text."""
    return {
        name: {"DataType": value["t"]}
        | (
            {"BinaryValue": base64.b64decode(value["b"])}
            if "b" in value
            else {"StringValue": value["s"]}
        )
        for name, value in (loads(text) if text else {}).items()
    }


def _content(value: Mapping[str, Any]) -> bytes:
    if "BinaryValue" in value:
        return bytes(value["BinaryValue"])
    return str(value["StringValue"]).encode()
