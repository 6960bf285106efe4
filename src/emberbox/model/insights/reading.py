"""Reads the text of a query, token by token."""

import re
from typing import Final

from emberbox.model.insights.values import QueryError

_BLANK: Final = re.compile(r"(?:\s+|#[^\n]*)*")
_NAME: Final = re.compile(r"[A-Za-z_@][\w@.]*|`([^`]+)`")
_WORD: Final = re.compile(r"[A-Za-z_]\w*")
_NUMBER: Final = re.compile(r"(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})(?:[eE][+-]?\d{1,3})?")
_TEXT: Final = re.compile(r"\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'", re.DOTALL)
_REGEX: Final = re.compile(r"/((?:[^/\\\n]|\\.)+)/(i?)")
_PERIOD: Final = re.compile(r"(\d{1,9})\s*([A-Za-z]+)")
_UNITS_MS: Final = {
    **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds"), 1),
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1_000),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60_000),
    **dict.fromkeys(("h", "hr", "hour", "hours"), 3_600_000),
    **dict.fromkeys(("d", "day", "days"), 86_400_000),
    **dict.fromkeys(("w", "week", "weeks"), 7 * 86_400_000),
}


class Reader:
    """A place in a query's text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.skip()

    def skip(self) -> None:
        """Go past blanks and comments."""
        found = _BLANK.match(self.text, self.at)
        self.at = found.end() if found is not None else self.at

    def is_at_end(self) -> bool:
        """Whether nothing is left."""
        return self.at >= len(self.text)

    def error(self, what: str) -> QueryError:
        """The error that something is wrong here."""
        return QueryError(f"{what} at position {self.at}")

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self.text, self.at)
        if found is not None:
            self.at = found.end()
            self.skip()
        return found

    def has(self, *signs: str) -> str | None:
        """The first of these signs that comes next; goes past it."""
        for sign in signs:
            if self.text.startswith(sign, self.at):
                self.at += len(sign)
                self.skip()
                return sign
        return None

    def need(self, sign: str) -> None:
        """Go past a sign that must come next."""
        if not self.has(sign):
            raise self.error(f"expected {sign!r}")

    def peek_word(self) -> str:
        """The word that comes next, in small letters; empty if none does."""
        found = _WORD.match(self.text, self.at)
        return "" if found is None else found[0].lower()

    def has_word(self, *words: str) -> str | None:
        """The word that comes next, if it is one of these; goes past it."""
        word = self.peek_word()
        if word not in words:
            return None
        self.at += len(word)
        self.skip()
        return word

    def name(self) -> str:
        """A field's name."""
        found = self._take(_NAME)
        if found is None:
            raise self.error("expected the name of a field")
        return found[1] or found[0]

    def number(self) -> float | None:
        """A number without a sign, or None."""
        found = self._take(_NUMBER)
        return None if found is None else float(found[0])

    def count(self, most: int) -> int:
        """A whole number from 1 to `most`."""
        value = self.number()
        if value is None or not value.is_integer() or not 1 <= value <= most:
            raise self.error(f"expected a whole number from 1 to {most}")
        return int(value)

    def quoted(self) -> str | None:
        """A text in quotation marks, without them, or None."""
        found = self._take(_TEXT)
        if found is None:
            return None
        inner = found[1] if found[1] is not None else found[2]
        return re.sub(r"\\(.)", r"\1", inner, flags=re.DOTALL)

    def regex(self) -> str | None:
        """An expression between slashes, or None."""
        found = self._take(_REGEX)
        if found is None:
            return None
        inner = found[1].replace("\\/", "/")
        return f"(?i){inner}" if found[2] else inner

    def period_ms(self) -> int:
        """A length of time such as `5m`, in milliseconds."""
        found = self._take(_PERIOD)
        unit = _UNITS_MS.get(found[2].lower()) if found is not None else None
        if found is None or unit is None or int(found[1]) == 0:
            raise self.error("expected a length of time such as 5m")
        return int(found[1]) * unit
