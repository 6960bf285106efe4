"""The regular expressions of CloudWatch Logs filter patterns, matched in linear time.

They have no groups, so an expression is a choice of runs of repeated characters. It is run as a
finite automaton whose states are made as they are met: no expression and no message can make it
hang. Source: CloudWatch Logs user guide, "Supported regular expressions (regex) syntax".
"""

import re
from collections.abc import Iterator, Sequence

from emberbox.records import dataclass

STATES_MAX = 1_000
_CACHED_MAX = 1_000
_OTHER = 128
"""Stands for every character that is not ASCII."""

_ASCII = (1 << _OTHER) - 1
_EVERYTHING = _ASCII | 1 << _OTHER
_NEWLINE = 1 << 10
_ALLOWED = re.compile(r"[A-Za-z0-9:_#=@/;, ^$?\[\]{}|\\*+.\t-]*\Z", re.ASCII)
_BOUNDS = re.compile(r"\{\s*(\d{0,4})\s*(,?)\s*(\d{0,4})\s*\}", re.ASCII)
_HEX = re.compile(r"x([0-9A-Fa-f]{2})")


class RegexError(ValueError):
    """The text is no regular expression that CloudWatch Logs knows."""


def _mask(characters: str) -> int:
    made = 0
    for character in characters:
        made |= 1 << ord(character)
    return made


_DIGITS = _mask("0123456789")
_WORD = _DIGITS | _mask("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
_SPACE = _mask(" \t\n\r\f\v")
_SETS = {
    "d": _DIGITS,
    "D": _EVERYTHING & ~_DIGITS,
    "w": _WORD,
    "W": _EVERYTHING & ~_WORD,
    "s": _SPACE,
    "S": _EVERYTHING & ~_SPACE,
    "t": 1 << 9,
    "n": _NEWLINE,
    "r": 1 << 13,
}


@dataclass(frozen=True, slots=True)
class _Part:
    """A set of characters (a bit each), and how often it may stand there."""

    characters: int
    least: int = 1
    most: int | None = 1


@dataclass(frozen=True, slots=True)
class _Run:
    """One alternative."""

    parts: Sequence[_Part]
    from_start: bool
    to_end: bool


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def runs(self) -> Iterator[_Run]:
        while True:
            yield self._run()
            if self._at >= len(self._text):
                return
            self._at += 1

    def _run(self) -> _Run:
        parts: list[_Part] = []
        from_start = self._take("^")
        to_end = False
        while self._at < len(self._text) and self._text[self._at] != "|":
            if to_end:
                raise RegexError("$ stands before the end")
            if self._take("$"):
                to_end = True
                continue
            characters = self._characters()
            parts.append(_Part(characters, *self._repetition()))
        return _Run(parts, from_start, to_end)

    def _take(self, character: str) -> bool:
        if self._text[self._at : self._at + 1] != character:
            return False
        self._at += 1
        return True

    def _characters(self) -> int:
        character = self._text[self._at]
        self._at += 1
        if character == "\\":
            return self._escape()
        if character == "[":
            return self._class()
        if character == ".":
            return _EVERYTHING & ~_NEWLINE
        if character in "^?*+{":
            raise RegexError(f"{character} stands where it has no meaning")
        return 1 << ord(character)

    def _escape(self) -> int:
        found = _HEX.match(self._text, self._at)
        if found is not None:
            self._at = found.end()
            code = int(found[1], 16)
            if code >= _OTHER:
                raise RegexError(f"\\x{found[1]} is not ASCII")
            return 1 << code
        character = self._text[self._at : self._at + 1]
        self._at += 1
        if character in _SETS:
            return _SETS[character]
        if not character or character.isalnum():
            raise RegexError(f"\\{character} has no meaning")
        return 1 << ord(character)

    def _class(self) -> int:
        is_negated = self._take("^")
        made = 0
        is_first = True
        while is_first or not self._take("]"):
            is_first = False
            low = self._member()
            if self._text[self._at : self._at + 1] == "-" and self._text[
                self._at + 1 : self._at + 2
            ] not in ("]", ""):
                self._at += 1
                made |= _range(low, self._member())
            else:
                made |= low
        return _EVERYTHING & ~made if is_negated else made

    def _member(self) -> int:
        character = self._text[self._at : self._at + 1]
        self._at += 1
        if not character:
            raise RegexError("[ is not closed")
        return self._escape() if character == "\\" else 1 << ord(character)

    def _repetition(self) -> tuple[int, int | None]:
        for sign, bounds in (("?", (0, 1)), ("*", (0, None)), ("+", (1, None))):
            if self._take(sign):
                return bounds
        if self._text[self._at : self._at + 1] != "{":
            return 1, 1
        found = _BOUNDS.match(self._text, self._at)
        if found is None or not (found[1] or found[3]):
            raise RegexError("{ needs a number")
        self._at = found.end()
        least = int(found[1] or 0)
        if not found[2]:
            return least, least
        most = int(found[3]) if found[3] else None
        if most is not None and most < least:
            raise RegexError("{m,n} with m above n")
        return least, most


def _range(low: int, high: int) -> int:
    first, last = low.bit_length() - 1, high.bit_length() - 1
    if low != 1 << first or high != 1 << last or first > last:
        raise RegexError("a range is upside down")
    return (1 << last + 1) - (1 << first)


class _Row(list["_Row | None"]):
    """A state of the automaton: by character the next one, None if not known yet."""

    __slots__ = ("states",)

    def __init__(self, states: int) -> None:
        super().__init__([None] * (_OTHER + 1))
        self.states = states


_MATCHED = _Row(0)


class LogRegex:
    """A compiled expression. RegexError if the text is none, or too large."""

    def __init__(self, text: str) -> None:
        if _ALLOWED.match(text) is None or not text:
            raise RegexError("a character that is not supported")
        self._accepts = [0] * (_OTHER + 1)
        self._loops = self._skips = self._found = self._found_at_end = 0
        self._restarts = 0
        starts = 0
        size = 0
        for run in _Parser(text).runs():
            first = 1 << size
            starts |= first
            self._restarts |= 0 if run.from_start else first
            size = self._add(run, size)
            if run.to_end:
                self._found_at_end |= 1 << size
            else:
                self._found |= 1 << size
            size += 1
        self._restarts = self._skipped(self._restarts)
        self._rows: dict[int, _Row] = {}
        self._start = self._row(self._skipped(starts))

    def search(self, text: str) -> bool:
        """Whether the expression matches somewhere in the text."""
        if text.isascii():
            codes: Sequence[int] = text.encode("ascii")
        else:
            codes = bytes(min(ord(character), _OTHER) for character in text)
        row = self._start
        last = len(codes) - 1
        if row is _MATCHED:
            return True
        for index, code in enumerate(codes):
            # The end is also before a line's last newline.
            if index == last and code == 10 and row.states & self._found_at_end:
                return True
            row = row[code] or self._next(row, code)
            if row is _MATCHED:
                return True
        return bool(row.states & self._found_at_end)

    def _add(self, run: _Run, size: int) -> int:
        for part in run.parts:
            optional = 0 if part.most is None else part.most - part.least
            copies = part.least + optional + (1 if part.most is None else 0)
            if size + copies >= STATES_MAX:
                raise RegexError("too large")
            for number in range(copies):
                bit = 1 << size
                for code in _codes(part.characters):
                    self._accepts[code] |= bit
                if number >= part.least:
                    self._skips |= bit
                    self._loops |= bit if part.most is None else 0
                size += 1
        return size

    def _skipped(self, states: int) -> int:
        while more := (states & self._skips) << 1 & ~states:
            states |= more
        return states

    def _row(self, states: int) -> _Row:
        if states & self._found:
            return _MATCHED
        row = self._rows.get(states)
        if row is None:
            if len(self._rows) >= _CACHED_MAX:
                self._rows.clear()
            row = self._rows[states] = _Row(states)
        return row

    def _next(self, row: _Row, code: int) -> _Row:
        taken = row.states & self._accepts[code]
        moved = (taken & ~self._loops) << 1 | taken & self._loops
        made = self._row(self._skipped(moved) | self._restarts)
        row[code] = made
        return made


def _codes(characters: int) -> Iterator[int]:
    while characters:
        lowest = characters & -characters
        yield lowest.bit_length() - 1
        characters ^= lowest
