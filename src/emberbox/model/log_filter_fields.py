"""Filter patterns in brackets: conditions on the fields of space-delimited events.

The last field takes the rest of the line. Source: CloudWatch Logs user guide, "Using filter
patterns to match terms in space-delimited log events".
"""

import re
from collections.abc import Callable, Sequence

from emberbox.model.log_filter_values import Reader
from emberbox.records import dataclass

_NAME = re.compile(r"[\w.$-]+")
_BARE = re.compile(r'[^\s"%,&|\]\[=<>!]+')
_CLOSING = {"[": "]", '"': '"'}

Check = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class _Field:
    """What a pattern says of one field; no checks accept anything."""

    name: str
    any_of: Sequence[Sequence[Check]]

    def accepts(self, value: str) -> bool:
        """Whether all checks of one of the alternatives hold."""
        return any(all(check(value) for check in checks) for checks in self.any_of)


@dataclass(frozen=True, slots=True)
class FieldsPattern:
    """A pattern in brackets; with a gap, any number of fields may stand between the two parts."""

    before: Sequence[_Field]
    after: Sequence[_Field]
    has_gap: bool

    def __call__(self, message: str) -> bool:
        """Whether a message matches."""
        if self.has_gap:
            return _matches_around(message, self.before, self.after)
        return _matches_all(message, self.before)

    @property
    def names(self) -> list[str]:
        """The names of the fields."""
        return [field.name for field in (*self.before, *self.after)]

    def extracted(self, message: str) -> dict[str, str]:
        """The fields of a message that matches: `$name`, or `$` and the place if it has no name."""
        if not self.has_gap:
            values = _split(message, len(self.before))
            names = [field.name for field in self.before]
        else:
            values = _split(message, None)
            first = len(self.before)
            between = range(first + 1, len(values) - len(self.after) + 1)
            names = [field.name for field in self.before]
            names += [str(place) for place in between]
            names += [field.name for field in self.after]
        return {f"${name}": value for name, value in zip(names, values, strict=False)}


def compile_fields(text: str) -> FieldsPattern:
    """A test of messages for a pattern in brackets; FilterError if it is none."""
    reader = Reader(text)
    reader.need("[")
    before: list[_Field] = []
    after: list[_Field] = []
    has_gap = False
    while True:
        if reader.has("..."):
            if has_gap:
                raise reader.error("a second ellipsis")
            has_gap = True
        else:
            (after if has_gap else before).append(_field(reader))
        if reader.has("]"):
            break
        reader.need(",")
    reader.end()
    return FieldsPattern(before, after, has_gap)


def _field(reader: Reader) -> _Field:
    name = _name(reader)
    alternatives: list[list[Check]] = [[]]
    if _is_at_end(reader):
        return _Field(name, alternatives)
    while True:
        alternatives[-1].append(reader.test(_BARE))
        if reader.has("||"):
            alternatives.append([])
        elif not reader.has("&&"):
            return _Field(name, alternatives)
        if _name(reader) != name:
            raise reader.error(f"expected the field {name}")


def _name(reader: Reader) -> str:
    reader.blank()
    found = reader.take(_NAME)
    if found is None:
        raise reader.error("expected the name of a field")
    return found[0]


def _is_at_end(reader: Reader) -> bool:
    reader.blank()
    return reader.is_before(",]")


def _matches_all(message: str, fields: Sequence[_Field]) -> bool:
    values = _split(message, len(fields))
    return len(values) == len(fields) and all(
        field.accepts(value) for field, value in zip(fields, values, strict=True)
    )


def _matches_around(message: str, before: Sequence[_Field], after: Sequence[_Field]) -> bool:
    values = _split(message, None)
    if len(values) < len(before) + len(after):
        return False
    ends = values[: len(before)] + values[len(values) - len(after) :]
    return all(field.accepts(value) for field, value in zip([*before, *after], ends, strict=True))


def _split(message: str, most: int | None) -> list[str]:
    """The fields of a line: words, and what stands in brackets or quotation marks, without them.

    The last of `most` fields is all that is left.
    """
    values: list[str] = []
    unclosed = ""
    at, end = 0, len(message)
    while True:
        while at < end and message[at].isspace():
            at += 1
        if at >= end:
            return values
        stop = -1
        opening = message[at]
        if opening in _CLOSING and opening not in unclosed:
            stop = message.find(_CLOSING[opening], at + 1)
            unclosed += opening if stop < 0 else ""
        if stop < 0:
            start, stop = at, _word_end(message, at)
            behind = stop
        else:
            start, behind = at + 1, stop + 1
        if most is not None and len(values) == most - 1 and message[behind:].strip():
            return [*values, message[at:].strip()]
        values.append(message[start:stop])
        at = behind


def _word_end(message: str, at: int) -> int:
    found = _SPACE.search(message, at)
    return len(message) if found is None else found.start()


_SPACE = re.compile(r"\s")
