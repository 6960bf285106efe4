"""Event patterns: which events an event source mapping, a rule or a subscription lets through.

A pattern is a JSON object. Its keys are ANDed; a key holds either an object, which looks inside, or
a list of alternatives, which are ORed: plain values and operators. `$or` holds a list of objects of
which one must match. An event's list matches if an element does. Source: the EventBridge guide
("Amazon EventBridge event patterns", "comparison operators"), and for the dialects the Lambda
guide's page on event filtering and the SNS guide's page on subscription filter policies.

Numbers in a plain alternative are compared by their form, so that 300 is not 300.0; `numeric`, and
SNS everywhere, compares them as numbers.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

from emberbox.model.event_tests import ABSENT, PatternError, Test, operator_test, plain_test
from emberbox.records import dataclass

_OR: Final = "$or"
_OR_MIN: Final = 2
_DEPTH_MAX: Final = 100
_MANY: Final = 2_000

_EVERYWHERE: Final = frozenset(
    {"prefix", "suffix", "equals-ignore-case", "anything-but", "numeric", "exists"}
)


@dataclass(frozen=True, slots=True)
class Dialect:
    """What one service makes of patterns: its operators, and whether numbers are compared as such.

    `nested` are the operators that `anything-but` may hold, `folded` whether `prefix` and `suffix`
    may hold `equals-ignore-case`.
    """

    operators: frozenset[str]
    nested: frozenset[str]
    folded: bool = True
    by_value: bool = False


EVENTS: Final = Dialect(
    _EVERYWHERE | {"wildcard", "cidr"},
    frozenset({"prefix", "suffix", "equals-ignore-case", "wildcard"}),
)
"""Rules of EventBridge."""

MAPPING: Final = Dialect(_EVERYWHERE, frozenset({"prefix", "suffix"}), folded=False)
"""Filters of event source mappings."""

SUBSCRIPTION: Final = Dialect(
    _EVERYWHERE | {"wildcard", "cidr"},
    frozenset({"prefix", "suffix", "wildcard"}),
    folded=False,
    by_value=True,
)
"""Filter policies of SNS."""


@dataclass(frozen=True, slots=True)
class _Node:
    """What an object of the event must fulfil."""

    leaves: tuple[tuple[str, tuple[Test, ...]], ...]
    inner: tuple[tuple[str, "_Node"], ...]
    choices: tuple[tuple["_Node", ...], ...]

    def holds(self, event: Mapping[str, Any]) -> bool:
        return (
            all(_some(tests, event.get(key, ABSENT)) for key, tests in self.leaves)
            and all(node.holds_in(event.get(key)) for key, node in self.inner)
            and all(any(node.holds(event) for node in choice) for choice in self.choices)
        )

    def holds_in(self, value: Any) -> bool:
        """The same where the event may have an object, a list of them, or neither."""
        if isinstance(value, list):
            return any(self.holds(each) for each in value if isinstance(each, Mapping))
        return self.holds(value if isinstance(value, Mapping) else {})


class EventPattern:
    """A pattern that has been read. It keeps nothing of the events it sees."""

    __slots__ = ("_dialect", "_read", "text")

    def __init__(self, text: str, dialect: Dialect = EVENTS, *, is_known: bool = False) -> None:
        """PatternError, which says why, unless the text is a pattern.

        What `is_known` was found to be one before, and is read when an event comes to it.
        """
        self.text = text
        self._dialect = dialect
        self._read = None if is_known else _node(_loaded(text), dialect, 0)

    @property
    def _root(self) -> _Node:
        if self._read is None:
            self._read = _node(_loaded(self.text), self._dialect, 0)
        return self._read

    def matches(self, event: Mapping[str, Any]) -> bool:
        """Whether an event, as `json.loads` gives it, gets through."""
        return self._root.holds(event)

    def looks_inside(self, key: str) -> bool:
        """Whether the pattern wants an object at this key of the event, rather than a value.

        A poller parses the text it finds there if so, as `body` of a message of SQS.
        """
        return _looks_inside(self._root, key)

    def __repr__(self) -> str:
        return f"EventPattern({self.text!r})"


class AnyOf:
    """Patterns of which one must match; none at all lets everything through."""

    __slots__ = ("_patterns",)

    def __init__(self, texts: Iterable[str], dialect: Dialect = MAPPING) -> None:
        """PatternError for the first text that is no pattern."""
        self._patterns = tuple(EventPattern(text, dialect) for text in texts)

    def matches(self, event: Mapping[str, Any]) -> bool:
        """Whether an event gets through."""
        return not self._patterns or any(each.matches(event) for each in self._patterns)

    def __iter__(self) -> Iterator[EventPattern]:
        return iter(self._patterns)

    def __len__(self) -> int:
        return len(self._patterns)


def has_many(value: Any) -> bool:
    """Whether an event holds so many values that patterns may take their time with it."""
    left, count = [value], 0
    while left and count < _MANY:
        each = left.pop()
        inner = each.values() if isinstance(each, Mapping) else each
        if isinstance(each, Mapping | list):
            count += len(each)
            left += islice(inner, _MANY)
    return count >= _MANY


def _loaded(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_number)
    except PatternError:
        raise
    except (ValueError, RecursionError):
        raise PatternError("Filter is not valid JSON") from None


def _no_number(text: str) -> Any:
    raise PatternError(f"{text} is not valid JSON")


def _node(pattern: Any, dialect: Dialect, depth: int) -> _Node:
    if not isinstance(pattern, dict):
        raise PatternError("Filter is not an object")
    if not pattern:
        raise PatternError("Empty objects are not allowed")
    if depth > _DEPTH_MAX:
        raise PatternError(f"Filter is nested more than {_DEPTH_MAX} levels deep")
    leaves, inner, choices = [], [], []
    for key, value in pattern.items():
        if key == _OR and _is_choice(value, dialect):
            choices.append(tuple(_node(each, dialect, depth + 1) for each in value))
        elif isinstance(value, dict):
            inner.append((key, _node(value, dialect, depth + 1)))
        elif isinstance(value, list):
            leaves.append((key, _tests(value, dialect)))
        else:
            raise PatternError(f'"{key}" must be an object or an array')
    return _Node(tuple(leaves), tuple(inner), tuple(choices))


def _is_choice(value: Any, dialect: Dialect) -> bool:
    """Whether `$or` holds alternatives; if not, it is a key like any other."""
    return (
        isinstance(value, list)
        and len(value) >= _OR_MIN
        and all(isinstance(each, dict) and not dialect.operators & each.keys() for each in value)
    )


def _tests(alternatives: list[Any], dialect: Dialect) -> tuple[Test, ...]:
    if not alternatives:
        raise PatternError("Empty arrays are not allowed")
    return tuple(_test(each, dialect) for each in alternatives)


def _test(alternative: Any, dialect: Dialect) -> Test:
    if isinstance(alternative, list):
        raise PatternError("Match value must be String, number, true, false, or null")
    if not isinstance(alternative, dict):
        return plain_test(alternative, by_value=dialect.by_value)
    if len(alternative) != 1:
        raise PatternError("Only one key allowed in match expression")
    [(operator, operand)] = alternative.items()
    if operator not in dialect.operators:
        raise PatternError(f"Unrecognized match type {operator}")
    return operator_test(
        operator, operand, nested=dialect.nested, folded=dialect.folded, by_value=dialect.by_value
    )


def _some(tests: tuple[Test, ...], value: Any) -> bool:
    """Whether a value, or an element of a list, passes one of the tests.

    Objects are no leaves: for a test they are not there.
    """
    found = list(_scalars(value))
    if not found:
        return any(test(ABSENT) for test in tests)
    return any(test(each) for test in tests for each in found)


def _scalars(value: Any) -> Iterable[Any]:
    if isinstance(value, list):
        return (leaf for each in value for leaf in _scalars(each))
    return () if value is ABSENT or isinstance(value, Mapping) else (value,)


def _looks_inside(node: _Node, key: str) -> bool:
    return any(name == key for name, _ in node.inner) or any(
        _looks_inside(each, key) for choice in node.choices for each in choice
    )
