"""Filter patterns of CloudWatch Logs: terms, JSON conditions, space-delimited fields.

Source: CloudWatch Logs user guide, "Filter pattern syntax". Terms match anywhere in a message,
case-sensitively.
"""

import re
from collections.abc import Callable

from emberbox.model.log_filter_fields import compile_fields
from emberbox.model.log_filter_json import compile_json
from emberbox.model.log_filter_values import FilterError, Reader

PATTERN_MAX = 1_024

_TERM = re.compile(r"\S+")
_PLAIN = re.compile(r"\w+\Z")

Matches = Callable[[str], bool]


def compile_filter(text: str) -> Matches:
    """Whether a message matches the pattern; FilterError if the text is no pattern."""
    if len(text) > PATTERN_MAX:
        raise FilterError(f"Invalid filter pattern: longer than {PATTERN_MAX} characters")
    stripped = text.strip()
    if stripped.startswith("{"):
        return compile_json(stripped)
    if stripped.startswith("["):
        return compile_fields(stripped)
    return _compile_terms(stripped)


def _compile_terms(text: str) -> Matches:
    reader = Reader(text)
    needed: list[Matches] = []
    optional: list[Matches] = []
    excluded: list[Matches] = []
    reader.blank()
    while not reader.is_at_end():
        if reader.has("?"):
            optional.append(_term(reader))
        elif reader.has("-"):
            excluded.append(_term(reader))
        else:
            needed.append(_term(reader))
        reader.blank()
    if optional and not needed and not excluded:
        return lambda message: any(matches(message) for matches in optional)
    # Beside other terms, AWS ignores the optional ones.
    return lambda message: (
        all(matches(message) for matches in needed)
        and not any(matches(message) for matches in excluded)
    )


def _term(reader: Reader) -> Matches:
    regex = reader.regex()
    if regex is not None:
        return regex.search
    phrase = reader.quoted()
    if phrase is None:
        found = reader.take(_TERM)
        phrase = "" if found is None else found[0]
        if _PLAIN.match(phrase) is None:
            raise FilterError(f"Invalid character(s) in term '{phrase}'")
    elif not phrase.strip():
        phrase = ""
    wanted = phrase
    return lambda message: wanted in message


__all__ = ["PATTERN_MAX", "FilterError", "compile_filter"]
