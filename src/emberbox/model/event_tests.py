"""The tests that alternatives of an event pattern stand for: plain values and operators.

Each is a function of one value of an event, or of ABSENT.
"""

import ipaddress
from collections.abc import Callable, Iterable
from decimal import Decimal
from math import isfinite
from operator import eq, ge, gt, le, lt
from typing import Any, Final

Test = Callable[[Any], bool]


class PatternError(ValueError):
    """The text is no event pattern; says why."""


class _Absent:
    """Stands for a value that an event does not have."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()

_COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": eq,
    "<": lt,
    "<=": le,
    ">": gt,
    ">=": ge,
}
_LOWER, _UPPER = frozenset({">", ">="}), frozenset({"<", "<="})


def plain_test(wanted: Any, *, by_value: bool) -> Test:
    """Equal to a string, a number, true, false or null; `by_value` compares numbers as such."""
    if _is_number(wanted):
        if by_value:
            number = _number(wanted)
            return lambda value: _is_number(value) and _number(value) == number
        return lambda value: type(value) is type(wanted) and value == wanted
    if isinstance(wanted, str):
        return lambda value: isinstance(value, str) and value == wanted
    return lambda value: value is wanted


def operator_test(
    operator: str, operand: Any, *, nested: frozenset[str], folded: bool, by_value: bool
) -> Test:
    """The test of an operator; PatternError if it cannot have this operand."""
    match operator:
        case "exists":
            return _exists(operand)
        case "numeric":
            return _numeric(operand)
        case "anything-but":
            return _anything_but(operand, nested, by_value=by_value)
        case "cidr":
            return _cidr(operand)
        case "prefix" | "suffix" if isinstance(operand, dict):
            return _ignoring_case(operator, operand, folded=folded)
        case _:
            return _text_test(operator, operand)


def _text_test(operator: str, operand: Any) -> Test:
    if not isinstance(operand, str):
        raise PatternError(f"{operator} match pattern must be a string")
    match operator:
        case "prefix":
            return lambda value: isinstance(value, str) and value.startswith(operand)
        case "suffix":
            return lambda value: isinstance(value, str) and value.endswith(operand)
        case "equals-ignore-case":
            wanted = operand.casefold()
            return lambda value: isinstance(value, str) and value.casefold() == wanted
        case "wildcard":
            return _wildcard(operand)
        case _:
            raise PatternError(f"Unrecognized match type {operator}")


def _ignoring_case(operator: str, operand: dict[str, Any], *, folded: bool) -> Test:
    [(inner, text)] = operand.items() if len(operand) == 1 else [("", None)]
    if inner != "equals-ignore-case" or not folded or not isinstance(text, str):
        raise PatternError(f"{operator} match pattern must be a string")
    test = _text_test(operator, text.casefold())
    return lambda value: isinstance(value, str) and test(value.casefold())


def _exists(operand: Any) -> Test:
    if not isinstance(operand, bool):
        raise PatternError("exists match pattern must be either true or false.")
    return lambda value: (value is not ABSENT) is operand


def _anything_but(operand: Any, nested: frozenset[str], *, by_value: bool) -> Test:
    tests = list(_excluded(operand, nested, by_value=by_value))
    if not tests:
        raise PatternError("Empty arrays are not allowed")
    return lambda value: value is not ABSENT and not any(test(value) for test in tests)


def _excluded(operand: Any, nested: frozenset[str], *, by_value: bool) -> Iterable[Test]:
    if isinstance(operand, dict):
        [(inner, texts)] = operand.items() if len(operand) == 1 else [("", None)]
        if inner not in nested:
            raise PatternError(f"Unsupported anything-but pattern: {inner}")
        for text in texts if isinstance(texts, list) else [texts]:
            if inner in ("prefix", "suffix") and text == "":
                raise PatternError(f"Null {inner} not allowed")
            yield _text_test(inner, text)
        return
    values = operand if isinstance(operand, list) else [operand]
    if not (all(isinstance(v, str) for v in values) or all(_is_number(v) for v in values)):
        raise PatternError("Inside anything but list, either all values are number or string")
    for value in values:
        yield plain_test(value, by_value=by_value)


def _numeric(operand: Any) -> Test:
    if not isinstance(operand, list) or len(operand) not in (2, 4):
        raise PatternError("Value of numeric must be an array of one or two comparisons")
    pairs = list(zip(operand[::2], operand[1::2], strict=True))
    for sign, bound in pairs:
        if not isinstance(sign, str) or sign not in _COMPARISONS:
            raise PatternError(f"Unrecognized numeric range operator: {sign}")
        if not _is_number(bound):
            raise PatternError(f"Value of {sign} must be numeric")
    _check_range(pairs)
    bounds = [(_COMPARISONS[sign], _number(bound)) for sign, bound in pairs]

    def test(value: Any) -> bool:
        if not _is_number(value):
            return False
        number = _number(value)
        return all(compare(number, bound) for compare, bound in bounds)

    return test


def _check_range(pairs: list[tuple[str, Any]]) -> None:
    if len(pairs) == 1:
        return
    (first, low), (second, high) = pairs
    if first not in _LOWER or second not in _UPPER:
        raise PatternError("Too many elements in numeric expression")
    if _number(low) >= _number(high):
        raise PatternError("Bottom must be less than top")


def _cidr(operand: Any) -> Test:
    try:
        network = ipaddress.ip_network(operand, strict=False) if isinstance(operand, str) else None
    except ValueError:
        network = None
    if network is None:
        raise PatternError("Malformed CIDR, expected an address, a slash and a number of bits")

    def test(value: Any) -> bool:
        try:
            return isinstance(value, str) and ipaddress.ip_address(value) in network
        except ValueError:
            return False

    return test


def _wildcard(pattern: str) -> Test:
    """`*` stands for any characters, `\\*` for itself; takes time linear in the value."""
    pieces = list(_pieces(pattern))
    if len(pieces) == 1:
        return lambda value: isinstance(value, str) and value == pieces[0]
    first, *middle, last = pieces

    def test(value: Any) -> bool:
        if not isinstance(value, str) or len(value) < len(first) + len(last):
            return False
        if not (value.startswith(first) and value.endswith(last)):
            return False
        position, end = len(first), len(value) - len(last)
        for piece in middle:
            found = value.find(piece, position, end)
            if found < 0:
                return False
            position = found + len(piece)
        return True

    return test


def _pieces(pattern: str) -> Iterable[str]:
    """What stands between the stars."""
    piece, characters = "", iter(pattern)
    previous = ""
    for character in characters:
        if character == "*":
            if previous == "*":
                raise PatternError("Consecutive wildcard characters are not allowed")
            yield piece
            piece = ""
        elif character == "\\":
            escaped = next(characters, "")
            if escaped not in ("*", "\\"):
                raise PatternError("Invalid escape character in a wildcard")
            piece += escaped
        else:
            piece += character
        previous = character
    yield piece


def _is_number(value: Any) -> bool:
    if isinstance(value, float):
        return isfinite(value)
    return isinstance(value, (int, Decimal)) and not isinstance(value, bool)


def _number(value: Any) -> Decimal:
    """Exact, so that 0.1 is 0.1 however it was parsed."""
    return Decimal(value) if isinstance(value, int) else Decimal(str(value))
