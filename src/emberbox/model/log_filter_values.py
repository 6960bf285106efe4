"""What a condition of a filter pattern compares with: text with wildcards, a number, an expression.

Shared by patterns for JSON events and for space-delimited events.
"""

import operator
import re
from collections.abc import Callable, Mapping

from emberbox.model.log_regex import LogRegex, RegexError

Scalar = str | int | float | bool
Test = Callable[[Scalar], bool]

_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_OPERATOR = re.compile(r"!=|<=|>=|=|<|>")
_NUMBER = re.compile(
    r"[+-]?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})(?:[eE][+-]?\d{1,3})?\Z", re.ASCII
)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_REGEX = re.compile(r"%((?:[^%\\]|\\.)+)%")


class FilterError(ValueError):
    """The text is no filter pattern; the message says what stands in the way."""


class Reader:
    """Reads a pattern from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._regexes = 0

    @property
    def at(self) -> int:
        """Where it is."""
        return self._at

    def since(self, start: int) -> str:
        """What was read since then."""
        return self._text[start : self._at]

    def blank(self) -> None:
        """Go past white space."""
        while self._text[self._at : self._at + 1].isspace():
            self._at += 1

    def has(self, text: str) -> bool:
        """Whether the text comes next, after white space; if so go past it."""
        self.blank()
        if not self._text.startswith(text, self._at):
            return False
        self._at += len(text)
        return True

    def need(self, text: str) -> None:
        """Go past the text, which must come next."""
        if not self.has(text):
            raise self.error(f"expected {text!r}")

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Go past what the pattern matches here."""
        found = pattern.match(self._text, self._at)
        if found is not None:
            self._at = found.end()
        return found

    def is_before(self, characters: str) -> bool:
        """Whether one of the characters comes next."""
        return self._text[self._at : self._at + 1] in characters and not self.is_at_end()

    def is_at_end(self) -> bool:
        """Whether nothing is left."""
        return self._at >= len(self._text)

    def end(self) -> None:
        """There must be nothing left."""
        self.blank()
        if not self.is_at_end():
            raise self.error("unexpected text")

    def error(self, what: str) -> FilterError:
        """The error that something is wrong here."""
        return FilterError(f"Invalid filter pattern: {what} at position {self._at}")

    def quoted(self) -> str | None:
        """A text in double quotation marks, without them."""
        found = self.take(_QUOTED)
        return None if found is None else re.sub(r"\\(.)", r"\1", found[1], flags=re.DOTALL)

    def regex(self) -> LogRegex | None:
        """An expression between percent signs; no pattern has more than two."""
        found = self.take(_REGEX)
        if found is None:
            return None
        self._regexes += 1
        if self._regexes > 2:
            raise self.error("more than two regular expressions")
        try:
            return LogRegex(found[1])
        except RegexError as error:
            raise self.error(f"{error} in a regular expression") from None

    def test(self, bare: re.Pattern[str]) -> Test:
        """An operator and what it compares with; `bare` is what may stand without quotes."""
        self.blank()
        found = self.take(_OPERATOR)
        if found is None:
            raise self.error("expected an operator")
        sign = found[0]
        self.blank()
        test = self._compared(sign, bare)
        if sign != "!=":
            return test
        return lambda value: not test(value)

    def _compared(self, sign: str, bare: re.Pattern[str]) -> Test:
        is_equality = sign in ("=", "!=")
        regex = self.regex() if is_equality else None
        if regex is not None:
            return lambda value: regex.search(text_of(value))
        quoted = self.quoted() if is_equality else None
        if quoted is not None:
            matches = wildcard(quoted)
            return lambda value: isinstance(value, str) and matches(value)
        found = self.take(bare)
        if found is None:
            raise self.error("expected a value")
        if is_equality:
            return _equal_to(found[0])
        number = number_of(found[0])
        if number is None:
            raise self.error(f"{sign} needs a number")
        compare = _OPERATORS[sign]
        return lambda value: (had := number_of(value)) is not None and compare(had, number)


def _equal_to(text: str) -> Test:
    number = number_of(text)
    matches = wildcard(text)
    if number is None:
        return lambda value: not isinstance(value, bool) and matches(text_of(value))

    def test(value: Scalar) -> bool:
        return value == text or number_of(value) == number

    return test


def wildcard(text: str) -> Callable[[str], bool]:
    """Whether a whole text matches one in which * stands for any characters."""
    if "*" not in text:
        return lambda value: value == text
    first, *middle, last = text.split("*")
    least = len(first) + len(last)

    def matches(value: str) -> bool:
        if len(value) < least or not (value.startswith(first) and value.endswith(last)):
            return False
        at, end = len(first), len(value) - len(last)
        for piece in middle:
            at = value.find(piece, at, end)
            if at < 0:
                return False
            at += len(piece)
        return True

    return matches


def text_of(value: Scalar) -> str:
    """A value as text."""
    return value if isinstance(value, str) else str(value)


def number_of(value: Scalar) -> float | None:
    """A value as number, None if it is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return value
    return float(value) if _NUMBER.match(value) else None
