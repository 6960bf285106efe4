"""Texts of a policy that stand for many: wildcards, policy variables, patterns of ARNs.

A pattern is matched in time proportional to pattern times text, however hostile both are.
Source: IAM user guide, "IAM JSON policy elements: Resource" and "Variables and tags".
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from typing import Final

from emberbox.records import dataclass

Context = Mapping[str, Sequence[str]]
"""What is known of a request: condition key in lower case -> its values."""

ARN_PARTS: Final = 6

_VARIABLE: Final = re.compile(r"\$\{([^{}]*)\}")
_DEFAULT: Final = re.compile(r"([^,']+?)\s*,\s*'([^']*)'\s*")
_ESCAPES: Final = frozenset("*?$")


class Wild(Enum):
    """A wildcard of a pattern."""

    MANY = "*"
    ONE = "?"


@dataclass(frozen=True, slots=True)
class Variable:
    """A policy variable; `key` is the condition key in lower case."""

    key: str
    default: str | None


Part = str | Wild | Variable
Bound = str | Wild


@dataclass(frozen=True, slots=True)
class Template:
    """A text of a policy, read once: literals, wildcards and variables in their order."""

    text: str
    parts: tuple[Part, ...]

    @property
    def keys(self) -> list[str]:
        """The condition keys of its variables."""
        return [part.key for part in self.parts if isinstance(part, Variable)]

    def bound(self, context: Context) -> list[Bound] | None:
        """The parts with the variables' values, as literals; None if a variable has no value.

        A key with several values is no text, so a variable of it has none.
        """
        made: list[Bound] = []
        for part in self.parts:
            if not isinstance(part, Variable):
                made.append(part)
                continue
            values = context.get(part.key, ())
            value = values[0] if len(values) == 1 else part.default if not values else None
            if value is None:
                return None
            made.append(value)
        return made


def template(text: str, *, wildcards: bool = True, variables: bool = True) -> Template:
    """Read a text; without `variables` (policies before 2012-10-17) `${` is an ordinary text."""
    parts: list[Part] = []
    at = 0
    for found in _VARIABLE.finditer(text) if variables else ():
        parts += _plain(text[at : found.start()], wildcards=wildcards)
        parts.append(_variable(found[1]))
        at = found.end()
    parts += _plain(text[at:], wildcards=wildcards)
    return Template(text, tuple(parts))


def _variable(inside: str) -> Part:
    if inside in _ESCAPES:
        return inside
    found = _DEFAULT.fullmatch(inside)
    key, default = (found[1], found[2]) if found is not None else (inside, None)
    return Variable(key.strip().lower(), default)


def _plain(text: str, *, wildcards: bool) -> Iterable[Part]:
    if not wildcards:
        return [text] if text else []
    pieces = re.split(r"([*?])", text)
    return [Wild(piece) if piece in {"*", "?"} else piece for piece in pieces if piece]


Matcher = Callable[[str], bool]


def glob(parts: Sequence[Bound]) -> Matcher:
    """Whether a whole text matches."""
    if all(isinstance(part, str) for part in parts):
        whole = "".join(part for part in parts if isinstance(part, str))
        return whole.__eq__
    if list(parts) == [Wild.MANY]:
        return _anything
    pieces = [_piece(piece) for piece in _between_stars(parts)]
    if len(pieces) == 1:
        only = pieces[0]
        return lambda text: len(text) == only.length and only.at(text, 0)
    return lambda text: _matches(pieces, text)


def _anything(_text: str) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class _Piece:
    """What stands between two stars: of one length, found by `find`, tested by `at`."""

    length: int
    at: Callable[[str, int], bool]
    find: Callable[[str, int, int], int]


def _between_stars(parts: Sequence[Bound]) -> list[list[Bound]]:
    pieces: list[list[Bound]] = [[]]
    for part in parts:
        if part is Wild.MANY:
            pieces.append([])
        else:
            pieces[-1].append(part)
    return pieces


def _piece(parts: Sequence[Bound]) -> _Piece:
    if all(isinstance(part, str) for part in parts):
        whole = "".join(part for part in parts if isinstance(part, str))
        return _Piece(
            len(whole),
            lambda text, at: text.startswith(whole, at),
            lambda text, start, end: text.find(whole, start, end),
        )
    source = "".join("." if part is Wild.ONE else re.escape(str(part)) for part in parts)
    pattern = re.compile(source, re.DOTALL)

    def find(text: str, start: int, end: int) -> int:
        found = pattern.search(text, start, end)
        return -1 if found is None else found.start()

    length = sum(1 if part is Wild.ONE else len(str(part)) for part in parts)
    return _Piece(length, lambda text, at: pattern.match(text, at) is not None, find)


def _matches(pieces: Sequence[_Piece], text: str) -> bool:
    """The first piece at the beginning, the last at the end, the others each as early as it can."""
    first, last = pieces[0], pieces[-1]
    end = len(text) - last.length
    at = first.length
    if at > end or not first.at(text, 0) or not last.at(text, end):
        return False
    for piece in pieces[1:-1]:
        found = piece.find(text, at, end)
        if found < 0:
            return False
        at = found + piece.length
    return True


def arn_glob(parts: Sequence[Bound]) -> Matcher:
    """Whether an ARN matches, part by part: a wildcard does not reach across a colon.

    The last part, which names the resource, may hold colons. Parts that the pattern lacks at its
    end match anything.
    """
    if list(parts) == [Wild.MANY]:
        return _anything
    split = _split_arn(parts)
    if len(split) == 1 or split[0] != ["arn"]:
        return glob(parts)
    matchers = [glob(piece) for piece in split] + [_anything] * (ARN_PARTS - len(split))

    def matches(text: str) -> bool:
        pieces = text.split(":", ARN_PARTS - 1)
        return len(pieces) == ARN_PARTS and all(
            matcher(piece) for matcher, piece in zip(matchers, pieces, strict=True)
        )

    return matches


def _split_arn(parts: Sequence[Bound]) -> list[list[Bound]]:
    split: list[list[Bound]] = [[]]
    for part in parts:
        if isinstance(part, Wild):
            split[-1].append(part)
            continue
        pieces = part.split(":", ARN_PARTS - len(split))
        for number, piece in enumerate(pieces):
            if number:
                split.append([])
            if piece:
                split[-1].append(piece)
    return split


class Pattern:
    """A template with its matcher, which is made once unless the text has variables."""

    __slots__ = ("_fixed", "_make", "template")

    def __init__(self, read: Template, make: Callable[[Sequence[Bound]], Matcher]) -> None:
        self.template = read
        self._make = make
        parts = None if read.keys else read.bound({})
        self._fixed = None if parts is None else make(parts)

    def matches(self, text: str, context: Context) -> bool:
        """Whether the text matches; never, if a variable has no value."""
        if self._fixed is not None:
            return self._fixed(text)
        parts = self.template.bound(context)
        return parts is not None and self._make(parts)(text)
