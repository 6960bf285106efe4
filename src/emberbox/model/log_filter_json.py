"""Filter patterns in braces: conditions on the fields of JSON events.

Source: CloudWatch Logs user guide, "Using filter patterns to match terms in JSON log events".
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from emberbox.model.log_filter_values import Reader
from emberbox.records import dataclass

_DEPTH_MAX = 32
_WILDCARDS_MAX = 3
_NAME = re.compile(r"\.([\w@-]+)")
_ANY_NAME = re.compile(r"\.\*")
_INDEX = re.compile(r"\[\s*(\d{1,9})\s*\]", re.ASCII)
_ANY_INDEX = re.compile(r"\[\s*\*\s*\]")
_BRACKETED = re.compile(r"""\.?\[\s*(?:'([^']*)'|"([^"]*)")\s*\]""")
_BARE = re.compile(r'[^\s"%(){}&|=<>!]+')
_WORDS = re.compile(r"(IS\s+NULL|IS\s+TRUE|IS\s+FALSE|NOT\s+EXISTS)\b")

Check = Callable[[Any], bool]
_Step = str | int | None
"""A key, an index, or None for the wildcard."""

_NOTHING = object()


@dataclass(frozen=True, slots=True)
class JsonPattern:
    """A pattern in braces, and the selectors that stand in it, as they are written."""

    check: Check
    selectors: Mapping[str, Sequence[_Step]]

    def __call__(self, message: str) -> bool:
        """Whether a message matches."""
        event = _event(message)
        return event is not _NOTHING and self.check(event)

    def extracted(self, message: str) -> dict[str, str]:
        """What the pattern's selectors select in a message; values as JSON but for texts."""
        event = _event(message)
        if event is _NOTHING:
            return {}
        found = {text: next(_values(event, steps), None) for text, steps in self.selectors.items()}
        return {text: _shown(value) for text, value in found.items() if value is not None}


def compile_json(text: str) -> JsonPattern:
    """A test of messages for a pattern in braces; FilterError if it is none."""
    parser = _Parser(text)
    return JsonPattern(parser.parse(), parser.selectors)


def compile_selector(text: str) -> Callable[[str], str | None]:
    """What a selector such as `$.a.b` selects in a JSON message; FilterError if it is none."""
    steps = _Parser(text).parse_selector()

    def select(message: str) -> str | None:
        event = _event(message)
        value = None if event is _NOTHING else next(_values(event, steps), None)
        return None if value is None else _shown(value)

    return select


def _event(message: str) -> Any:
    if message.lstrip()[:1] not in ("{", "["):
        return _NOTHING
    try:
        return orjson.loads(message)
    except ValueError:
        return _NOTHING


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


class _Parser:
    def __init__(self, text: str) -> None:
        self._reader = Reader(text)
        self._wildcards = 0
        self.selectors: dict[str, Sequence[_Step]] = {}

    def parse_selector(self) -> Sequence[_Step]:
        """A selector and nothing else."""
        steps = self._selector()
        self._reader.end()
        return steps

    def parse(self) -> Check:
        self._reader.need("{")
        check = self._any_of(0)
        self._reader.need("}")
        self._reader.end()
        return check

    def _any_of(self, depth: int) -> Check:
        checks = [self._all_of(depth)]
        while self._reader.has("||"):
            checks.append(self._all_of(depth))
        if len(checks) == 1:
            return checks[0]
        return lambda event: any(check(event) for check in checks)

    def _all_of(self, depth: int) -> Check:
        checks = [self._one(depth)]
        while self._reader.has("&&"):
            checks.append(self._one(depth))
        if len(checks) == 1:
            return checks[0]
        return lambda event: all(check(event) for check in checks)

    def _one(self, depth: int) -> Check:
        if depth > _DEPTH_MAX:
            raise self._reader.error("too many parentheses")
        if self._reader.has("("):
            check = self._any_of(depth + 1)
            self._reader.need(")")
            return check
        steps = self._selector()
        self._reader.blank()
        words = self._reader.take(_WORDS)
        if words is not None:
            return _worded(steps, " ".join(words[1].split()))
        test = self._reader.test(_BARE)
        return lambda event: any(
            isinstance(value, (str, int, float)) and test(value) for value in _values(event, steps)
        )

    def _selector(self) -> Sequence[_Step]:
        self._reader.need("$")
        start = self._reader.at - 1
        steps: list[_Step] = []
        while self._step(steps):
            pass
        if not steps:
            raise self._reader.error("expected a selector")
        wildcards = steps.count(None)
        self._wildcards += wildcards
        if wildcards > 1 or self._wildcards > _WILDCARDS_MAX:
            raise self._reader.error("too many wildcards in selectors")
        self.selectors[self._reader.since(start)] = steps
        return steps

    def _step(self, steps: list[_Step]) -> bool:
        reader = self._reader
        if reader.take(_ANY_NAME) or reader.take(_ANY_INDEX):
            steps.append(None)
        elif found := reader.take(_BRACKETED):
            steps.append(found[1] if found[1] is not None else found[2])
        elif found := reader.take(_INDEX):
            steps.append(int(found[1]))
        elif found := reader.take(_NAME):
            steps.append(found[1])
        else:
            return False
        return True


def _worded(steps: Sequence[_Step], words: str) -> Check:
    if words == "NOT EXISTS":
        return lambda event: next(_values(event, steps), _NOTHING) is _NOTHING
    wanted = {"IS NULL": None, "IS TRUE": True, "IS FALSE": False}[words]
    return lambda event: any(value is wanted for value in _values(event, steps))


def _values(event: Any, steps: Sequence[_Step]) -> Iterator[Any]:
    """What a selector selects: nothing, one value, or several by its wildcard."""
    found = event
    for number, step in enumerate(steps):
        if step is None:
            for value in _children(found):
                yield from _values(value, steps[number + 1 :])
            return
        try:
            found = _child(found, step)
        except LookupError:
            return
    yield found


def _child(value: Any, step: str | int) -> Any:
    if isinstance(step, str) and isinstance(value, dict):
        return value[step]
    if isinstance(step, int) and isinstance(value, list):
        return value[step]
    raise LookupError(step)


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
