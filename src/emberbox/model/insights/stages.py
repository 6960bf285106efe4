"""What each command of a query does with rows: they come in one by one and go on to the next.

What stages hold is counted against one budget: a query that needs too much ends with
TooLargeError.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, Protocol

from emberbox.model.insights.aggregates import Aggregate, Maker
from emberbox.model.insights.expressions import Expression
from emberbox.model.insights.values import (
    Row,
    TooLargeError,
    Value,
    is_true,
    shown,
    sort_key,
    weight,
)
from emberbox.records import dataclass

ROWS_MAX: Final = 10_000
BUDGET_BYTES: Final = 134_217_728
_ROW_BYTES: Final = 240


@dataclass(slots=True)
class Budget:
    """Bytes that the stages of one query may still hold."""

    left: int = BUDGET_BYTES

    def take(self, size: int) -> None:
        """Use some, or give back; TooLargeError if there is not enough."""
        self.left -= size
        if self.left < 0:
            raise TooLargeError


class Stage(Protocol):
    """One command."""

    def feed(self, row: Row) -> Iterator[Row]:
        """Take a row; what goes on because of it."""
        ...

    def finish(self) -> Iterator[Row]:
        """No more rows come; what goes on."""
        ...


class Streaming:
    """A command that keeps nothing back."""

    def finish(self) -> Iterator[Row]:
        """Nothing is left."""
        return iter(())


class Filter(Streaming):
    """Lets through the rows for which a condition is true."""

    def __init__(self, condition: Expression) -> None:
        self._condition = condition

    def feed(self, row: Row) -> Iterator[Row]:
        """The row, or nothing."""
        if is_true(self._condition(row)):
            yield row


class Compute(Streaming):
    """Adds fields to each row."""

    def __init__(self, made: Sequence[tuple[str, Expression]]) -> None:
        self._made = made

    def feed(self, row: Row) -> Iterator[Row]:
        """The row and its new fields, each of which sees those before it."""
        wider = dict(row)
        for name, expression in self._made:
            value = expression(wider)
            if value is not None:
                wider[name] = value
        yield wider


class Parse(Streaming):
    """Adds the fields that a pattern takes out of a text."""

    def __init__(
        self, source: Expression, groups: Callable[[str], Mapping[str, str | None]]
    ) -> None:
        self._source = source
        self._groups = groups

    def feed(self, row: Row) -> Iterator[Row]:
        """The row and what was found in it."""
        value = self._source(row)
        found = {} if value is None else self._groups(shown(value))
        yield {**row, **{name: text for name, text in found.items() if text is not None}}


class Limit(Streaming):
    """Lets so many rows through."""

    def __init__(self, count: int) -> None:
        self.left = count

    def feed(self, row: Row) -> Iterator[Row]:
        """The row, while there are some left."""
        if self.left > 0:
            self.left -= 1
            yield row


class Dedup(Streaming):
    """Lets through the first row with each combination of values."""

    def __init__(self, names: Sequence[str], budget: Budget) -> None:
        self._names = names
        self._budget = budget
        self._seen: set[tuple[str, ...]] = set()

    def feed(self, row: Row) -> Iterator[Row]:
        """The row if it is new; one that has none of the fields always is."""
        values = [row.get(name) for name in self._names]
        key = tuple(map(shown, values))
        if key in self._seen and any(value is not None for value in values):
            return
        if key not in self._seen:
            self._seen.add(key)
            self._budget.take(sum(map(weight, values)) + 80)
        yield row


class Sort:
    """Puts rows in order; only the first `keep` are kept."""

    def __init__(self, keys: Sequence[tuple[Expression, bool]], keep: int, budget: Budget) -> None:
        self._keys = keys
        self.keep = keep
        self._budget = budget
        self._rows: list[Row] = []

    def feed(self, row: Row) -> Iterator[Row]:
        """Keep the row."""
        self._rows.append(row)
        self._budget.take(_size(row))
        if len(self._rows) >= 2 * self.keep + 1_000:
            self._order()
        return iter(())

    def finish(self) -> Iterator[Row]:
        """The rows in order."""
        self._order()
        return iter(self._rows)

    def _order(self) -> None:
        for expression, is_descending in reversed(self._keys):
            self._rows.sort(key=lambda row: sort_key(expression(row)), reverse=is_descending)
        self._budget.take(-sum(map(_size, self._rows[self.keep :])))
        del self._rows[self.keep :]


class Stats:
    """Adds rows up in groups."""

    def __init__(
        self,
        aggregates: Sequence[tuple[str, Maker, Sequence[Expression]]],
        by: Sequence[tuple[str, Expression]],
        budget: Budget,
    ) -> None:
        self._aggregates = aggregates
        self._by = by
        self._budget = budget
        self._groups: dict[tuple[str, ...], tuple[list[Value], list[Aggregate]]] = {}

    def feed(self, row: Row) -> Iterator[Row]:
        """Add the row to its group."""
        values = [expression(row) for _, expression in self._by]
        key = tuple(map(shown, values))
        found = self._groups.get(key)
        if found is None:
            self._budget.take(sum(map(weight, values)) + 200 * (1 + len(self._aggregates)))
            found = self._groups[key] = (values, [make() for _, make, _ in self._aggregates])
        for state, (_, _, arguments) in zip(found[1], self._aggregates, strict=True):
            more = state.add([argument(row) for argument in arguments], row)
            if more:
                self._budget.take(more)
        return iter(())

    def finish(self) -> Iterator[Row]:
        """A row for each group."""
        if not self._groups and not self._by:
            self._groups[()] = ([], [make() for _, make, _ in self._aggregates])
        for values, states in self._groups.values():
            row = {name: value for (name, _), value in zip(self._by, values, strict=True)}
            for (name, _, _), state in zip(self._aggregates, states, strict=True):
                row[name] = state.value()
            yield row


class Pipeline:
    """All stages of a query; `rows` are what came out, `matched` what came through the first.

    `first` stages let rows through one by one: what they let through has matched.
    """

    def __init__(self, stages: Sequence[Stage], first: int, budget: Budget) -> None:
        self._stages = stages
        self._first = first
        self._budget = budget
        self.matched = 0
        self.rows: list[Row] = []

    @property
    def is_satisfied(self) -> bool:
        """Whether no further row can change what comes out."""
        for stage in self._stages:
            if isinstance(stage, Limit) and stage.left == 0:
                return True
            if not isinstance(stage, Streaming):
                return False
        return len(self.rows) >= ROWS_MAX

    def feed(self, row: Row) -> None:
        """Take a row."""
        self._push(row, 0)

    def finish(self) -> None:
        """No more rows come."""
        for number, stage in enumerate(self._stages):
            for row in stage.finish():
                self._push(row, number + 1)

    def _push(self, row: Row, number: int) -> None:
        if number == self._first:
            self.matched += 1
        if number == len(self._stages):
            if len(self.rows) < ROWS_MAX:
                self._budget.take(_size(row))
                self.rows.append(row)
            return
        for each in self._stages[number].feed(row):
            self._push(each, number + 1)


def _size(row: Row) -> int:
    return _ROW_BYTES + sum(map(weight, row.values()))
