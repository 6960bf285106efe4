"""The models' patterns, which are Java's, as Python's; what Python cannot say is left unchecked.

A pattern is never run on a text longer than a bound: Python's matcher backtracks and has no
time-out, and every text comes from a client.
"""

import re
import sys
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

TEXT_MAX: Final = 2_048
"""Characters; longer texts are taken to match (their length has a limit of its own)."""

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
    if len(text) > TEXT_MAX:
        return True
    expression = compiled(pattern)
    return expression is None or expression.fullmatch(text) is not None


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
