"""Regular expressions of queries, matched in linear time by RE2: no query can hang the server."""

import re
from collections.abc import Callable, Mapping

from emberbox.model.insights.values import QueryError

_NAMED = re.compile(r"\(\?<(?=[A-Za-z_])")
_MEMORY_BYTES = 8_388_608

Search = Callable[[str], bool]
Groups = Callable[[str], Mapping[str, str | None]]


def compile_search(text: str) -> Search:
    """Whether an expression matches somewhere in a text. QueryError if it is none."""
    compiled = _compile(text)
    return lambda value: compiled.search(value) is not None


def compile_groups(text: str) -> tuple[Groups, list[str]]:
    """What the named groups of an expression take of a text, and their names."""
    compiled = _compile(text)
    names = list(compiled.groupindex)
    if not names:
        raise QueryError("a regular expression of parse needs named groups, (?<name>...)")

    def groups(value: str) -> Mapping[str, str | None]:
        found = compiled.search(value)
        return {} if found is None else {name: found.group(name) for name in names}

    return groups, names


def _compile(text: str) -> "re.Pattern[str]":
    # Loaded when the first query needs it: it takes longer than the rest of a query.
    import re2  # type: ignore[import-untyped] # noqa: PLC0415

    options = re2.Options()
    options.max_mem = _MEMORY_BYTES
    options.log_errors = False
    try:
        compiled: re.Pattern[str] = re2.compile(_NAMED.sub("(?P<", text), options)
    except re2.error as error:
        raise QueryError(f"invalid regular expression: {error}") from None
    return compiled
