"""The Condition element: every operator, and how several keys and values combine.

Source: IAM user guide, "IAM JSON policy elements: Condition operators" and "Conditions with
multiple context keys or values".
"""

import base64
import binascii
import ipaddress
import operator as compare
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from functools import partial
from typing import Any, Final

from emberbox.model.policy.patterns import Context, Pattern, arn_glob, glob, template
from emberbox.records import dataclass

_NUMBER: Final = re.compile(r"[+-]?\d{1,64}(?:\.\d{1,64})?")
_EPOCH: Final = re.compile(r"\d{1,12}(?:\.\d{1,9})?")


class OperandError(ValueError):
    """A value of a condition is none of its operator's kind; the text says which."""


class Quantifier(Enum):
    """How a key with several values is taken."""

    NONE = ""
    ALL = "forallvalues:"
    ANY = "foranyvalue:"


Accepts = Callable[[str, Context], bool]
"""Whether a value of the request is what one value of the policy says."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator with one key; `holds` in a request's context."""

    key: str
    operands: tuple[Accepts, ...]
    keys: tuple[str, ...]
    quantifier: Quantifier = Quantifier.NONE
    is_negated: bool = False
    if_exists: bool = False

    def holds(self, context: Context) -> bool:
        """Whether the request is as the condition wants it."""
        values = context.get(self.key)
        if not values:
            return self._without_value()
        found = (self._accepts(value, context) for value in values)
        if self.quantifier is Quantifier.ANY:
            return any(found)
        if self.quantifier is Quantifier.ALL or self.is_negated:
            return all(found)
        return any(found)

    def _accepts(self, value: str, context: Context) -> bool:
        return any(accepts(value, context) for accepts in self.operands) != self.is_negated

    def _without_value(self) -> bool:
        if self.if_exists or self.quantifier is Quantifier.ALL:
            return True
        return self.is_negated and self.quantifier is Quantifier.NONE


@dataclass(frozen=True, slots=True)
class Null:
    """Whether a key has no value; `wanted` None for a condition that says both."""

    key: str
    wanted: bool | None
    keys: tuple[str, ...] = ()

    def holds(self, context: Context) -> bool:
        """Whether the request is as the condition wants it."""
        return self.wanted is None or (not context.get(self.key)) is self.wanted


def conditions(block: Mapping[str, Any], *, variables: bool) -> list[Condition | Null]:
    """A Condition element whose form has been checked; OperandError for a value without sense."""
    made: list[Condition | Null] = []
    for name, keys in block.items():
        for key, operand in keys.items():
            listed = operand if isinstance(operand, list) else [operand]
            texts = [_text(each) for each in listed]
            made.append(_condition(name.lower(), key.lower(), texts, variables=variables))
    return made


def _condition(name: str, key: str, texts: list[str], *, variables: bool) -> Condition | Null:
    if name == "null":
        wanted = {_bool(text) for text in texts}
        return Null(key, wanted.pop() if len(wanted) == 1 else None)
    quantifier = next(each for each in reversed(Quantifier) if name.startswith(each.value))
    base = name.removeprefix(quantifier.value)
    if_exists = base.endswith("ifexists")
    base = base.removesuffix("ifexists")
    is_negated = "not" in base
    kind = base.replace("not", "")
    build = _OPERATORS.get(kind)
    if build is None:
        raise OperandError(f"there is no condition operator {name}")
    pairs = [build(text, variables) for text in texts]
    used = tuple(used for _, found in pairs for used in found)
    accepts = tuple(accepts for accepts, _ in pairs)
    return Condition(key, accepts, used, quantifier, is_negated, if_exists)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


Built = tuple[Accepts, Sequence[str]]
"""A test of one value, and the keys of the variables it reads."""


def _equals(text: str, variables: bool) -> Built:
    read = template(text, wildcards=False, variables=variables)
    pattern = Pattern(read, glob)
    return pattern.matches, read.keys


def _equals_ignoring_case(text: str, variables: bool) -> Built:
    read = template(text, wildcards=False, variables=variables)

    def accepts(value: str, context: Context) -> bool:
        parts = read.bound(context)
        return parts is not None and "".join(map(str, parts)).lower() == value.lower()

    return accepts, read.keys


def _like(text: str, variables: bool) -> Built:
    pattern = Pattern(template(text, variables=variables), glob)
    return pattern.matches, pattern.template.keys


def _arn_like(text: str, variables: bool) -> Built:
    pattern = Pattern(template(text, variables=variables), arn_glob)
    return pattern.matches, pattern.template.keys


def _bool(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise OperandError(f"{text} is neither true nor false")
    return text.lower() == "true"


def _truth(text: str, _variables: bool) -> Built:
    wanted = "true" if _bool(text) else "false"
    return lambda value, _context: value.lower() == wanted, ()


def _binary(text: str, _variables: bool) -> Built:
    wanted = _decoded(text)
    if wanted is None:
        raise OperandError(f"{text} is not base64")
    return lambda value, _context: _decoded(value) == wanted, ()


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _number(text: str) -> Decimal | None:
    return Decimal(text) if _NUMBER.fullmatch(text) is not None else None


def _moment(text: str) -> float | None:
    """Seconds since the epoch of an ISO 8601 date or of a number of seconds."""
    if _EPOCH.fullmatch(text) is not None:
        return float(text)
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (read if read.tzinfo is not None else read.replace(tzinfo=UTC)).timestamp()


Ordering = Callable[[Any, Any], bool]


def _ordered(
    read: Callable[[str], Any],
    what: str,
    holds: Ordering,
    text: str,
    _variables: bool,
) -> Built:
    wanted = read(text)
    if wanted is None:
        raise OperandError(f"{text} is not a {what}")

    def accepts(value: str, _context: Context) -> bool:
        given = read(value)
        return given is not None and holds(given, wanted)

    return accepts, ()


def _network(text: str, _variables: bool) -> Built:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise OperandError(f"{text} is not an IP address range") from None

    def accepts(value: str, _context: Context) -> bool:
        try:
            return ipaddress.ip_address(value) in network
        except ValueError:
            return False

    return accepts, ()


_ORDERINGS: Final[Mapping[str, Ordering]] = {
    "equals": compare.eq,
    "lessthan": compare.lt,
    "lessthanequals": compare.le,
    "greaterthan": compare.gt,
    "greaterthanequals": compare.ge,
}
_OPERATORS: Final[Mapping[str, Callable[[str, bool], Built]]] = {
    "stringequals": _equals,
    "stringequalsignorecase": _equals_ignoring_case,
    "stringlike": _like,
    "arnequals": _arn_like,
    "arnlike": _arn_like,
    "bool": _truth,
    "binaryequals": _binary,
    "ipaddress": _network,
    **{f"numeric{name}": partial(_ordered, _number, "number", o) for name, o in _ORDERINGS.items()},
    **{f"date{name}": partial(_ordered, _moment, "date", o) for name, o in _ORDERINGS.items()},
}
"""Operator without its quantifier, its Not and its IfExists -> how a value of it is read."""
