"""The functions that expressions of queries may call."""

import ipaddress
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from emberbox.model.insights.values import Time, Value, is_true, number, shown, sort_key

_TEXT_MAX: Final = 1_048_576
"""A text that a function makes is cut there: what it makes can be put in again."""

Function = Callable[[Sequence[Value]], Value]


class Known(NamedTuple):
    """A function and how many arguments it takes."""

    run: Function
    least: int
    most: int


def _of_number(function: Callable[[float], float]) -> Known:
    def run(values: Sequence[Value]) -> Value:
        found = number(values[0])
        if found is None:
            return None
        try:
            return function(found)
        except (ValueError, OverflowError):
            return None

    return Known(run, 1, 1)


def _of_text(function: Callable[[str], Value]) -> Known:
    return Known(lambda values: None if values[0] is None else function(shown(values[0])), 1, 1)


def _trim(strip: Callable[[str, str | None], str]) -> Known:
    def run(values: Sequence[Value]) -> Value:
        characters = shown(values[1]) if len(values) > 1 else None
        return None if values[0] is None else strip(shown(values[0]), characters)

    return Known(run, 1, 2)


def _extreme(sign: int) -> Known:
    def run(values: Sequence[Value]) -> Value:
        there = [value for value in values if value is not None]
        if not there:
            return None
        return (max if sign > 0 else min)(there, key=sort_key)

    return Known(run, 1, 20)


def _substr(values: Sequence[Value]) -> Value:
    start = number(values[1])
    if values[0] is None or start is None or start < 0:
        return None
    text = shown(values[0])[int(start) :]
    length = number(values[2]) if len(values) > 2 else None
    return text if length is None else text[: max(int(length), 0)]


def _replace(values: Sequence[Value]) -> Value:
    text, old, new = map(shown, values)
    if not old:
        return text
    # No more is put in than the result may have: it is cut, and never made in full before.
    return text.replace(old, new, _TEXT_MAX // max(1, len(new)) + 1)[:_TEXT_MAX]


def _concat(values: Sequence[Value]) -> Value:
    text = ""
    for value in values:
        text += shown(value)[: _TEXT_MAX - len(text)]
    return text


def _in_network(version: int | None) -> Known:
    def run(values: Sequence[Value]) -> Value:
        try:
            address = ipaddress.ip_address(shown(values[0]))
            network = ipaddress.ip_network(shown(values[1]), strict=False)
        except ValueError:
            return 0
        return int(version in (None, address.version) and address in network)

    return Known(run, 2, 2)


def _address(version: int | None) -> Known:
    def run(values: Sequence[Value]) -> Value:
        try:
            return int(version in (None, ipaddress.ip_address(shown(values[0])).version))
        except ValueError:
            return 0

    return Known(run, 1, 1)


def _from_millis(value: float) -> float:
    return Time(int(value))


FUNCTIONS: Final[Mapping[str, Known]] = {
    "abs": _of_number(abs),
    "ceil": _of_number(math.ceil),
    "floor": _of_number(math.floor),
    "log": _of_number(math.log),
    "sqrt": _of_number(math.sqrt),
    "frommillis": _of_number(_from_millis),
    "tomillis": _of_number(int),
    "greatest": _extreme(1),
    "least": _extreme(-1),
    "ispresent": Known(lambda values: int(values[0] is not None), 1, 1),
    "coalesce": Known(lambda values: next((v for v in values if v is not None), None), 1, 20),
    "isempty": Known(lambda values: int(values[0] is None or shown(values[0]) == ""), 1, 1),
    "isblank": Known(lambda values: int(not shown(values[0]).strip()), 1, 1),
    "concat": Known(_concat, 1, 20),
    "trim": _trim(str.strip),
    "ltrim": _trim(str.lstrip),
    "rtrim": _trim(str.rstrip),
    "strlen": _of_text(len),
    "toupper": _of_text(str.upper),
    "tolower": _of_text(str.lower),
    "substr": Known(_substr, 2, 3),
    "replace": Known(_replace, 3, 3),
    "strcontains": Known(lambda values: int(shown(values[1]) in shown(values[0])), 2, 2),
    "isvalidip": _address(None),
    "isvalidipv4": _address(4),
    "isvalidipv6": _address(6),
    "isipinsubnet": _in_network(None),
    "isipv4insubnet": _in_network(4),
    "isipv6insubnet": _in_network(6),
    "not": Known(lambda values: int(not is_true(values[0])), 1, 1),
}
