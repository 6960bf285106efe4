"""What a target of a rule gets of an event: the whole, a part of it, a constant, or a template.

Source: "Amazon EventBridge input transformation" of the EventBridge guide.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

_STEP: Final = re.compile(
    r"\.(?P<name>[A-Za-z0-9_\-$]+)|\[(?P<index>\d{1,6}|\*)\]|\[['\"](?P<quoted>[^'\"]+)['\"]\]"
)
_PATHS_MAX: Final = 100
_TEMPLATE_MAX: Final = 8_192
_FILLED_MAX: Final = 1_048_576
_VARIABLE: Final = re.compile(r"<([^<>\s]{1,256})>")
_MISSING: Final = object()


class TransformError(ValueError):
    """The path or the template cannot be used; says why."""


Step = str | int | None
"""A member, an element, or None for all elements."""


def parse_path(text: str) -> list[Step]:
    """The steps of a JSONPath such as `$.detail.items[0]`; TransformError if it is none."""
    if not text.startswith("$"):
        raise TransformError(f"{text[:64]} does not begin with $")
    steps: list[Step] = []
    position = 1
    while position < len(text):
        found = _STEP.match(text, position)
        if found is None:
            raise TransformError(f"{text[:64]} is no JSONPath that EventBridge knows")
        position = found.end()
        index = found["index"]
        if index is None:
            steps.append(found["name"] or found["quoted"])
        else:
            steps.append(None if index == "*" else int(index))
    return steps


def value_at(event: Any, steps: list[Step]) -> Any:
    """The value at a path; `MISSING` tells that there is none."""
    for number, step in enumerate(steps):
        if step is None:
            if not isinstance(event, list):
                return _MISSING
            found = [value_at(each, steps[number + 1 :]) for each in event]
            return [each for each in found if each is not _MISSING]
        if isinstance(step, int):
            if not isinstance(event, list) or step >= len(event):
                return _MISSING
            event = event[step]
        else:
            if not isinstance(event, Mapping) or step not in event:
                return _MISSING
            event = event[step]
    return event


def check_transformer(paths: Mapping[str, str], template: str) -> None:
    """TransformError unless the two can be used."""
    if len(paths) > _PATHS_MAX:
        raise TransformError(f"InputPathsMap has more than {_PATHS_MAX} entries")
    if not 0 < len(template) <= _TEMPLATE_MAX:
        raise TransformError(f"InputTemplate must have 1 to {_TEMPLATE_MAX} characters")
    for name, path in paths.items():
        if name.startswith("AWS") or not name:
            raise TransformError("names of InputPathsMap must not begin with AWS")
        parse_path(path)
    for name in _VARIABLE.findall(template):
        if name not in paths and not name.startswith("aws."):
            raise TransformError(f"Invalid InputTemplate: the variable {name} is not defined")


def body_of(
    event: Mapping[str, Any], target: Mapping[str, Any], around: Mapping[str, str]
) -> bytes:
    """The body for a target, JSON wherever its settings make JSON.

    `around` holds the values of `aws.events.rule-arn`, `aws.events.rule-name` and
    `aws.events.event.ingestion-time`. TransformError for a template that becomes too large.
    """
    if target.get("Input") is not None:
        return str(target["Input"]).encode()
    if target.get("InputPath") is not None:
        found = value_at(event, parse_path(target["InputPath"]))
        return _dumped(None if found is _MISSING else found).encode()
    transformer = target.get("InputTransformer")
    if transformer is not None:
        return _transformed(event, transformer, around).encode()
    return _dumped(event).encode()


def _transformed(
    event: Mapping[str, Any], transformer: Mapping[str, Any], around: Mapping[str, str]
) -> str:
    values: dict[str, Any] = {
        name: value_at(event, parse_path(path))
        for name, path in (transformer.get("InputPathsMap") or {}).items()
    }
    values |= around
    values["aws.events.event.json"] = event
    values["aws.events.event"] = {k: v for k, v in event.items() if k != "detail"}
    return _filled(transformer["InputTemplate"], values)


def _filled(template: str, values: Mapping[str, Any]) -> str:
    """Put values in: as JSON where they stand alone, as text where they stand within quotes."""
    parts: list[str] = []
    position, is_quoted, size = 0, False, 0
    for found in _VARIABLE.finditer(template):
        between = template[position : found.start()]
        parts.append(between)
        is_quoted ^= _quotes(between) % 2 == 1
        position = found.end()
        part = _part(found, values, is_quoted=is_quoted)
        size += len(part)
        if size > _FILLED_MAX:
            raise TransformError(f"the template becomes larger than {_FILLED_MAX} characters")
        parts.append(part)
    parts.append(template[position:])
    return "".join(parts)


def _part(found: re.Match[str], values: Mapping[str, Any], *, is_quoted: bool) -> str:
    if found[1] not in values:
        return found[0]
    value = values[found[1]]
    if is_quoted:
        return _inner(value)
    return '""' if value is _MISSING else _dumped(value)


def _quotes(text: str) -> int:
    return len(re.findall(r'(?<!\\)(?:\\\\)*"', text))


def _inner(value: Any) -> str:
    """A value within the quotes of a JSON text."""
    if value is _MISSING:
        return ""
    text = value if isinstance(value, str) else _dumped(value)
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
