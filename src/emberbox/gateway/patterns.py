"""The models' patterns, which are Java's, as Python's; what Python cannot say is left unchecked.

Python's matcher backtracks and has no time-out, and every text comes from a client. So a text is
checked only up to a length that depends on how much a pattern can backtrack; longer ones are taken
to match (their length has a limit of its own).
"""

import re
import sys
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

_LENGTHS: Final = (262_144, 262_144, 2_048)
"""Characters that are checked by a pattern with none, one or two open-ended repetitions."""
_LENGTH_OF_MANY: Final = 256
_LENGTH_OF_NESTED: Final = 20
"""A repetition within a repetition can take twice the time for every character more."""

_TAME: Final = frozenset(
    {
        r"((/[A-Za-z0-9\.,\+@=_-]+)*)/",
        r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*",
    }
)
"""Nested, but with separators that leave nothing to try twice: IAM's path, ECR's repository."""

_CLASS: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_REPEAT: Final = re.compile(r"[*+]|\{(\d+)(,?)(\d*)\}")
_MANY: Final = 16
_SPELLINGS: Final = {
    r"\uD800\uDC00-\uDBFF\uDFFF": r"\U00010000-\U0010FFFF",
    r"\w-": r"\w\-",
    r"\z": r"\Z",
}
"""Java's way to write it -> Python's: astral characters, a hyphen after a class, the end."""

_PLANES_END: Final = 0x40000
_NAMED_CLASSES: Final = {
    "Alpha": "a-zA-Z",
    "Lower": "a-z",
    "Upper": "A-Z",
    "Digit": "0-9",
    "Alnum": "a-zA-Z0-9",
    "Punct": re.escape("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
    "Graph": "!-~",
    "Print": " -~",
    "Space": r"\t\n\v\f\r ",
    "Blank": r"\t ",
    "ASCII": r"\x00-\x7f",
    "Cntrl": r"\x00-\x1f\x7f",
    "XDigit": "0-9a-fA-F",
}
_PROPERTY: Final = re.compile(r"\\p\{(?:Is)?(\w+)\}|\\p([LZNPSMC])")


@lru_cache(4_096)
def compiled(pattern: str) -> re.Pattern[str] | None:
    """The pattern for Python; None if it cannot be had."""
    try:
        return re.compile(_translated(pattern), re.ASCII)
    except (re.error, KeyError, OverflowError, RecursionError):
        return None


def matches(pattern: str, text: str) -> bool:
    """Whether the whole text matches; True if the question cannot be answered safely."""
    if len(text) > checked_length(pattern):
        return True
    expression = compiled(pattern)
    return expression is None or expression.fullmatch(text) is not None


@lru_cache(4_096)
def checked_length(pattern: str) -> int:
    """How long a text this pattern may safely be run on."""
    repeats, is_nested = _repetitions(_CLASS.sub("x", pattern))
    if is_nested and pattern not in _TAME:
        return _LENGTH_OF_NESTED
    return _LENGTHS[repeats] if repeats < len(_LENGTHS) else _LENGTH_OF_MANY


def _repetitions(skeleton: str) -> tuple[int, bool]:
    """How many open-ended repetitions a pattern without classes has, and whether any are nested."""
    total, is_nested = 0, False
    opened: list[int] = []
    inside = 0
    for index, character in enumerate(skeleton):
        if character == "(":
            opened.append(total)
        inside = total - opened.pop() if character == ")" and opened else 0
        if _is_open_ended(_REPEAT.match(skeleton, index + 1)) and character not in "(|":
            total += 1
            is_nested = is_nested or inside > 0
    return total, is_nested


def _is_open_ended(repeat: re.Match[str] | None) -> bool:
    if repeat is None:
        return False
    if repeat[1] is None:
        return True
    most = repeat[3] if repeat[2] else repeat[1]
    return most == "" or int(most) > _MANY


def _translated(pattern: str) -> str:
    if "&&" in pattern:
        raise re.error("class intersection")
    for java, python in _SPELLINGS.items():
        pattern = pattern.replace(java, python)
    return "".join(_properties_spelt_out(pattern))


def _properties_spelt_out(pattern: str) -> Iterator[str]:
    """Unicode properties as ranges, in brackets of their own where they stand outside a class."""
    at = 0
    for found in _PROPERTY.finditer(pattern):
        yield pattern[at : found.start()]
        ranges = _ranges(found[1] or found[2])
        yield ranges if _in_class(pattern, found.start()) else f"[{ranges}]"
        at = found.end()
    yield pattern[at:]


def _in_class(pattern: str, position: int) -> bool:
    inside, index = False, 0
    while index < position:
        if pattern[index] == "\\":
            index += 1
        elif pattern[index] == "[":
            inside = True
        elif pattern[index] == "]":
            inside = False
        index += 1
    return inside


@lru_cache(64)
def _ranges(name: str) -> str:
    """The characters of a named class or of a Unicode category, as the inside of a class."""
    if name in _NAMED_CLASSES:
        return _NAMED_CLASSES[name]
    spans = _spans(name)
    if not spans:
        raise KeyError(name)
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in spans)


def _spans(category: str) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for code in range(min(_PLANES_END, sys.maxunicode)):
        if unicodedata.category(chr(code)).startswith(category):
            if spans and spans[-1][1] == code - 1:
                spans[-1] = (spans[-1][0], code)
            else:
                spans.append((code, code))
    return spans
