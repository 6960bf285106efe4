"""Metric math: expressions over the results of other queries.

Source: "Using math expressions with CloudWatch metrics" of AWS's guide. What is not built (SEARCH,
SQL, anomaly detection) is refused by name.
"""

import ast
import math
import operator
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

Series = dict[int, float]
Value = float | Series | list[Series]

_LENGTH_MAX = 2_048
_DEPTH_MAX = 40
_BINARY: dict[type[ast.AST], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.BitXor: operator.pow,
}
_COMPARE: dict[type[ast.AST], Callable[[float, float], float]] = {
    ast.Lt: lambda a, b: float(a < b),
    ast.LtE: lambda a, b: float(a <= b),
    ast.Gt: lambda a, b: float(a > b),
    ast.GtE: lambda a, b: float(a >= b),
    ast.Eq: lambda a, b: float(a == b),
    ast.NotEq: lambda a, b: float(a != b),
}
_REDUCE: dict[str, Callable[[list[float]], float]] = {
    "SUM": math.fsum,
    "AVG": lambda values: math.fsum(values) / len(values),
    "MIN": min,
    "MAX": max,
}
_EACH: dict[str, Callable[[float], float]] = {"ABS": abs, "CEIL": math.ceil, "FLOOR": math.floor}


class MathError(ValueError):
    """The expression cannot be evaluated; the text says why."""


def evaluate(expression: str, known: Mapping[str, Series], periods: Mapping[str, int]) -> Value:
    """The value of an expression over results by their ids; `periods` are theirs in seconds."""
    if len(expression) > _LENGTH_MAX:
        raise MathError("the expression is too long")
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise MathError("the expression cannot be parsed") from None
    return _Evaluation(known, periods).value(tree.body, 0)


class _Evaluation:
    def __init__(self, known: Mapping[str, Series], periods: Mapping[str, int]) -> None:
        self._known = known
        self._periods = periods

    def value(self, node: ast.expr, depth: int) -> Value:
        if depth > _DEPTH_MAX:
            raise MathError("the expression is nested too deeply")
        found: Value
        match node:
            case ast.Constant(value=int() | float() as number):
                found = float(number)
            case ast.Name(id=name):
                found = self._named(name)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                found = _each(operator.neg, self.value(operand, depth + 1))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                found = self._pair(_BINARY[type(op)], left, right, depth)
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARE:
                found = self._pair(_COMPARE[type(op)], left, right, depth)
            case ast.List(elts=elements):
                found = [self._series(each, depth + 1) for each in elements]
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                found = self._call(name, arguments, depth + 1)
            case _:
                raise MathError("the expression has a part that is not understood")
        return found

    def _pair(
        self,
        function: Callable[[float, float], float],
        left: ast.expr,
        right: ast.expr,
        depth: int,
    ) -> Value:
        return _paired(function, self.value(left, depth + 1), self.value(right, depth + 1))

    def _named(self, name: str) -> Series:
        if name not in self._known:
            raise MathError(f"{name} is no id of a query")
        return self._known[name]

    def _series(self, node: ast.expr, depth: int) -> Series:
        value = self.value(node, depth)
        if not isinstance(value, dict):
            raise MathError("a list holds something that is no time series")
        return value

    def _call(self, name: str, arguments: list[ast.expr], depth: int) -> Value:
        if name == "METRICS":
            prefix = _text(arguments[0]) if arguments else ""
            return [series for key, series in self._known.items() if prefix in key]
        if name == "PERIOD" and len(arguments) == 1 and isinstance(arguments[0], ast.Name):
            return float(self._periods.get(arguments[0].id, 60))
        if name == "FILL" and len(arguments) == 2:
            return self._fill(arguments, depth)
        return _applied(name, [self.value(each, depth) for each in arguments])

    def _fill(self, arguments: list[ast.expr], depth: int) -> Value:
        value = self.value(arguments[0], depth)
        how = arguments[1]
        series = value if isinstance(value, list) else [value]
        times = sorted({at for each in self._known.values() for at in each})
        filled = [_filled(each, times, how) for each in series if isinstance(each, dict)]
        return filled if isinstance(value, list) else filled[0] if filled else value


def _applied(name: str, values: list[Value]) -> Value:
    match values:
        case [value] if name in _REDUCE:
            return _reduced(_REDUCE[name], value)
        case [value] if name in _EACH:
            return _each(_EACH[name], value)
        case [dict() as series] if name in ("RATE", "DIFF"):
            return _differences(series, per_second=name == "RATE")
        case [condition, then, *rest] if name == "IF" and len(rest) < 2:
            return _chosen(condition, then, *rest)
        case _:
            raise MathError(f"the function {name} with these arguments is not built")


def _filled(series: Series, times: list[int], how: ast.expr) -> Series:
    result: Series = {}
    last: float | None = None
    for at in times:
        if at in series:
            last = series[at]
        filler = last
        if isinstance(how, ast.Constant) and isinstance(how.value, int | float):
            filler = float(how.value)
        elif not (isinstance(how, ast.Name) and how.id == "REPEAT"):
            raise MathError("FILL takes a number or REPEAT")
        value = series.get(at, filler)
        if value is not None:
            result[at] = value
    return result


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    raise MathError("METRICS takes a text")


def _each(function: Callable[[float], Any], value: Value) -> Value:
    if isinstance(value, list):
        return [{at: float(function(v)) for at, v in series.items()} for series in value]
    if isinstance(value, dict):
        return {at: float(function(v)) for at, v in value.items()}
    return float(function(value))


def _paired(function: Callable[[float, float], float], left: Value, right: Value) -> Value:
    if isinstance(left, list):
        return [_as_series(_paired(function, each, right)) for each in left]
    if isinstance(right, list):
        return [_as_series(_paired(function, left, each)) for each in right]
    if isinstance(left, dict) or isinstance(right, dict):
        times = set(left) if isinstance(left, dict) else set(_as_series(right))
        if isinstance(left, dict) and isinstance(right, dict):
            times &= set(right)
        found = {at: _safe(function, _at(left, at), _at(right, at)) for at in times}
        return {at: value for at, value in found.items() if value is not None}
    result = _safe(function, left, right)
    if result is None:
        raise MathError("a number cannot be computed")
    return result


def _safe(function: Callable[[float, float], float], a: float, b: float) -> float | None:
    try:
        value: Any = function(a, b)
    except (ArithmeticError, ValueError):
        return None
    # A negative number to a broken power is complex.
    return value if isinstance(value, float) and math.isfinite(value) else None


def _at(value: float | Series, at: int) -> float:
    return value[at] if isinstance(value, dict) else value


def _as_series(value: Value) -> Series:
    if not isinstance(value, dict):
        raise MathError("a time series was expected")
    return value


def _reduced(function: Callable[[list[float]], float], value: Value) -> Value:
    if isinstance(value, dict):
        return function(list(value.values())) if value else {}
    if isinstance(value, list):
        times = {at for series in value for at in series}
        return {at: function([s[at] for s in value if at in s]) for at in times}
    return value


def _chosen(condition: Value, then: Value, otherwise: Value | None = None) -> Value:
    if isinstance(condition, float):
        chosen = then if condition else otherwise
        return {} if chosen is None else chosen
    result: Series = {}
    for at, truth in _as_series(condition).items():
        branch = then if truth else otherwise
        if isinstance(branch, dict) and at in branch:
            result[at] = branch[at]
        elif isinstance(branch, float):
            result[at] = branch
    return result


def _differences(series: Series, *, per_second: bool) -> Series:
    times = sorted(series)
    found = {}
    for before, at in pairwise(times):
        change = series[at] - series[before]
        found[at] = change / (at - before) if per_second else change
    return found
