"""Expressions of queries: parsed from text, run on a row."""

import operator
from collections.abc import Callable
from dataclasses import field
from functools import partial
from typing import Final

from emberbox.model.insights.aggregates import AGGREGATES
from emberbox.model.insights.functions import FUNCTIONS
from emberbox.model.insights.reading import Reader
from emberbox.model.insights.regexes import compile_search
from emberbox.model.insights.values import (
    Row,
    Time,
    Value,
    compare,
    is_true,
    number,
    shown,
)
from emberbox.records import dataclass

_DEPTH_MAX: Final = 32
_LIST_MAX: Final = 100
_COMPARISONS: Final[dict[str, Callable[[float], bool]]] = {
    "=": lambda order: order == 0,
    "!=": lambda order: order != 0,
    "<": lambda order: order < 0,
    "<=": lambda order: order <= 0,
    ">": lambda order: order > 0,
    ">=": lambda order: order >= 0,
}
_SIGNS: Final = ("=~", "!=", "<=", ">=", "=", "<", ">")

Expression = Callable[[Row], Value]


@dataclass(slots=True)
class Scope:
    """What a query's expressions are read with: the fields they name, and the time it is."""

    now_ms: int
    names: set[str] = field(default_factory=set)


class ExpressionParser:
    """Reads one expression at the reader's place."""

    def __init__(self, reader: Reader, scope: Scope) -> None:
        self._reader = reader
        self._scope = scope
        self._depth = 0

    def parse(self) -> Expression:
        """An expression of any kind. QueryError if there is none."""
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            raise self._reader.error("too many parentheses")
        made = self._any_of()
        self._depth -= 1
        return made

    def _any_of(self) -> Expression:
        parts = [self._all_of()]
        while self._reader.has_word("or"):
            parts.append(self._all_of())
        if len(parts) == 1:
            return parts[0]
        return lambda row: int(any(is_true(part(row)) for part in parts))

    def _all_of(self) -> Expression:
        parts = [self._negated()]
        while self._reader.has_word("and"):
            parts.append(self._negated())
        if len(parts) == 1:
            return parts[0]
        return lambda row: int(all(is_true(part(row)) for part in parts))

    def _negated(self) -> Expression:
        if not self._reader.has_word("not"):
            return self._compared()
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            raise self._reader.error("too many negations")
        inner = self._negated()
        self._depth -= 1
        return lambda row: int(not is_true(inner(row)))

    def _compared(self) -> Expression:
        left, reader = self._sum(), self._reader
        is_negated = bool(reader.has_word("not"))
        if reader.has_word("like"):
            return self._like(left, is_negated=is_negated)
        if reader.has_word("in"):
            return self._within(left, is_negated=is_negated)
        if is_negated:
            raise reader.error("expected like or in")
        sign = reader.has(*_SIGNS)
        if sign is None:
            return left
        if sign == "=~":
            return self._like(left, is_negated=False)
        right, holds = self._sum(), _COMPARISONS[sign]

        def run(row: Row) -> Value:
            order = compare(left(row), right(row))
            return int(order is not None and holds(order))

        return run

    def _like(self, left: Expression, *, is_negated: bool) -> Expression:
        regex = self._reader.regex()
        if regex is not None:
            search = compile_search(regex)
        else:
            text = self._reader.quoted()
            if text is None:
                raise self._reader.error("expected a text or a regular expression")
            search = partial(_contains, text)

        def run(row: Row) -> Value:
            value = left(row)
            return int(value is not None and search(shown(value)) != is_negated)

        return run

    def _within(self, left: Expression, *, is_negated: bool) -> Expression:
        reader = self._reader
        reader.need("[")
        values = [self._sum()]
        while reader.has(","):
            values.append(self._sum())
            if len(values) > _LIST_MAX:
                raise reader.error(f"more than {_LIST_MAX} values")
        reader.need("]")

        def run(row: Row) -> Value:
            value = left(row)
            if value is None:
                return 0
            return int(any(compare(value, each(row)) == 0 for each in values) != is_negated)

        return run

    def _sum(self) -> Expression:
        made = self._product()
        while sign := self._reader.has("+", "-"):
            made = partial(_calculated, sign, made, self._product())
        return made

    def _product(self) -> Expression:
        made = self._power()
        while sign := self._reader.has("*", "/", "%"):
            made = partial(_calculated, sign, made, self._power())
        return made

    def _power(self) -> Expression:
        made = self._signed()
        return partial(_calculated, "^", made, self._signed()) if self._reader.has("^") else made

    def _signed(self) -> Expression:
        if self._reader.has("-"):
            return partial(_calculated, "-", lambda _row: 0, self._one())
        return self._one()

    def _one(self) -> Expression:
        reader = self._reader
        if reader.has("("):
            made = self.parse()
            reader.need(")")
            return made
        value: Value = reader.quoted()
        if value is None:
            value = reader.number()
        if value is not None:
            return lambda _row: value
        start = reader.at
        name = reader.name()
        if reader.has("("):
            if name in AGGREGATES:
                return self._column(start)
            return self._call(name.lower())
        self._scope.names.add(name)
        return lambda row: row.get(name)

    def _column(self, start: int) -> Expression:
        """A column that stats has made, by the text that made it."""
        reader = self._reader
        end = reader.text.find(")", reader.at)
        if end < 0:
            raise reader.error("expected ')'")
        reader.at = end
        reader.need(")")
        column = reader.text[start : end + 1]
        return lambda row: row.get(column)

    def _call(self, name: str) -> Expression:
        reader = self._reader
        if name in ("bin", "datefloor", "dateceil"):
            return self._rounded(name)
        if name == "now":
            reader.need(")")
            now_s = self._scope.now_ms // 1000
            return lambda _row: now_s
        known = FUNCTIONS.get(name)
        if known is None:
            raise reader.error(f"there is no function {name}")
        arguments: list[Expression] = []
        while not reader.has(")"):
            if arguments:
                reader.need(",")
            arguments.append(self.parse())
        if not known.least <= len(arguments) <= known.most:
            raise reader.error(f"{name} does not take {len(arguments)} arguments")
        return lambda row: known.run([argument(row) for argument in arguments])

    def _rounded(self, name: str) -> Expression:
        source: Expression = lambda row: row.get("@timestamp")  # noqa: E731
        if name != "bin":
            source = self.parse()
            self._reader.need(",")
        period_ms = self._reader.period_ms()
        self._reader.need(")")
        more = period_ms - 1 if name == "dateceil" else 0

        def run(row: Row) -> Value:
            value = number(source(row))
            return None if value is None else Time((int(value) + more) // period_ms * period_ms)

        return run


def _contains(text: str, value: str) -> bool:
    return text in value


def _calculated(sign: str, left: Expression, right: Expression, row: Row) -> Value:
    a, b = number(left(row)), number(right(row))
    if a is None or b is None:
        return None
    try:
        return _OPERATIONS[sign](float(a), float(b))
    except (ZeroDivisionError, OverflowError):
        return None


def _power(a: float, b: float) -> Value:
    made = a**b
    return made if isinstance(made, float) else None


_OPERATIONS: Final[dict[str, Callable[[float, float], Value]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": operator.mod,
    "^": _power,
}
