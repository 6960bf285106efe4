"""What a function says of its failure, read from the document that its caller gets.

Runtimes write stack traces in the form of their language; frames that have none of these forms are
left out.
"""

import json
import re
from typing import Any, Final, NamedTuple

_DOCUMENT_MAX: Final = 65_536
_TEXT_MAX: Final = 1_024
_FRAMES_MAX: Final = 50
_FRAMES: Final = (
    re.compile(r'\s*File "(?P<path>[^"]{1,500})", line (?P<line>\d{1,9})(?:, in (?P<label>.*))?'),
    re.compile(
        r"\s*at (?P<label>[^(]{1,300}) \((?P<path>[^)]{1,500}?):(?P<line>\d{1,9})(?::\d+)?\)"
    ),
    re.compile(r"\s*at (?P<label>)(?P<path>[^()\s]{1,500}?):(?P<line>\d{1,9}):\d+"),
    re.compile(r"\s*(?P<label>[\w.$<>]{1,300})\((?P<path>[^():]{1,300}):(?P<line>\d{1,9})\)"),
    re.compile(r"\s*(?P<path>[^:\s]{1,500}):(?P<line>\d{1,9}):in (?P<label>.*)"),
)
"""Python, Node.js with and without a name, Java, Ruby."""


class Frame(NamedTuple):
    """One place of a stack trace."""

    path: str
    line: int
    label: str


class FunctionError(NamedTuple):
    """A failure: its type and its message, empty where the function says nothing of them."""

    type: str = ""
    message: str = ""
    frames: tuple[Frame, ...] = ()


def read_error(document: bytes) -> FunctionError:
    """The failure that a document tells of; one of nothing if it is none, or too long."""
    if not document or len(document) > _DOCUMENT_MAX:
        return FunctionError()
    try:
        found = json.loads(document)
    except (ValueError, RecursionError):
        return FunctionError()
    if not isinstance(found, dict):
        return FunctionError()
    trace = found.get("stackTrace") or found.get("trace")
    lines = trace[: 2 * _FRAMES_MAX] if isinstance(trace, list) else []
    frames = [frame for line in lines if (frame := _frame(line)) is not None]
    return FunctionError(
        _text(found.get("errorType")), _text(found.get("errorMessage")), tuple(frames[:_FRAMES_MAX])
    )


def _frame(line: Any) -> Frame | None:
    if not isinstance(line, str):
        return None
    text = line[:_TEXT_MAX]
    for form in _FRAMES:
        found = form.match(text)
        if found is not None:
            label = (found["label"] or "").strip().strip("'`")
            return Frame(found["path"], int(found["line"]), label)
    return None


def _text(value: Any) -> str:
    return value[:_TEXT_MAX] if isinstance(value, str) else ""
