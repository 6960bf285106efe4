"""A query: read from its text into stages, and into what its results show."""

import re
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Final

from emberbox.model.insights.aggregates import AGGREGATES, Maker
from emberbox.model.insights.expressions import Expression, ExpressionParser, Scope
from emberbox.model.insights.reading import Reader
from emberbox.model.insights.regexes import compile_groups
from emberbox.model.insights.stages import (
    ROWS_MAX,
    Budget,
    Compute,
    Dedup,
    Filter,
    Limit,
    Parse,
    Pipeline,
    Sort,
    Stage,
    Stats,
)
from emberbox.model.insights.values import QueryError, Row, Value, shown
from emberbox.records import dataclass

QUERY_MAX: Final = 10_000
_COMMANDS_MAX: Final = 50
_FIELDS_MAX: Final = 100
_STATS_MAX: Final = 2
_DEFAULT: Final = ("@timestamp", "@message")
_NAME: Final = re.compile(r"[\w@.]+\Z")


@dataclass(slots=True)
class Query:
    """A query that is ready to run once: `names` are the fields it looks at.

    `pipeline` takes rows, the newest first, and has the results in the end.
    """

    pipeline: Pipeline
    shown_fields: tuple[str, ...]
    is_aggregated: bool
    names: frozenset[str]

    def result(self, row: Row) -> list[tuple[str, str]]:
        """A row as results have it: fields that are not there are left out."""
        found = [(name, row.get(name)) for name in self.shown_fields]
        if not self.is_aggregated:
            found.append(("@ptr", row.get("@ptr")))
        return [(name, shown(value)) for name, value in found if value is not None]


def parse_query(text: str, limit: int, now_ms: int, *, is_in_order: bool = True) -> Query:
    """Read a query. QueryError says what is wrong with it.

    `limit` counts if the query names none. Unless rows come `is_in_order`, they are put in order.
    """
    if len(text) > QUERY_MAX:
        raise QueryError(f"longer than {QUERY_MAX} characters")
    return _Parser(text, limit, now_ms, is_in_order=is_in_order).parse()


@dataclass(slots=True)
class _Shown:
    """Which fields results have: of fields all, of display the last, of stats the last."""

    fields: list[str] = field(default_factory=list)
    display: list[str] | None = None
    stats: list[str] | None = None

    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.display or self.fields or self.stats or _DEFAULT))


class _Parser:
    def __init__(self, text: str, limit: int, now_ms: int, *, is_in_order: bool) -> None:
        self._reader = Reader(text)
        self._scope = Scope(now_ms)
        self._limit = limit
        self._is_in_order = is_in_order
        self._budget = Budget()
        self._stages: list[Stage] = []
        self._shown = _Shown()
        self._stats = 0
        self._commands: Mapping[str, Callable[[], None]] = {
            "fields": self._fields,
            "display": self._display,
            "filter": self._filter,
            "parse": self._parse,
            "stats": self._stats_command,
            "sort": self._sort,
            "limit": self._limit_command,
            "head": self._limit_command,
            "dedup": self._dedup,
        }

    def parse(self) -> Query:
        reader = self._reader
        for _ in range(_COMMANDS_MAX):
            if reader.is_at_end():
                break
            self._command()
            if not reader.has("|"):
                break
        if not reader.is_at_end():
            raise reader.error("unexpected text")
        self._complete()
        first = next(
            (
                place
                for place, stage in enumerate(self._stages)
                if not isinstance(stage, (Filter, Compute, Parse))
            ),
            len(self._stages),
        )
        names = self._shown.names()
        self._scope.names.update(names)
        pipeline = Pipeline(self._stages, first, self._budget)
        return Query(pipeline, names, bool(self._stats), frozenset(self._scope.names))

    def _command(self) -> None:
        word = self._reader.peek_word()
        run = self._commands.get(word)
        if run is None:
            raise self._reader.error(f"there is no command {word!r}")
        self._reader.has_word(word)
        run()

    def _complete(self) -> None:
        """Rows are in the order of time unless the query says otherwise, and limited."""
        kinds = [type(stage) for stage in self._stages]
        if not self._is_in_order and not (Sort in kinds or Stats in kinds):
            place = next((n for n, kind in enumerate(kinds) if kind in (Limit, Dedup)), len(kinds))
            newest = (lambda row: row.get("@timestamp"), True)
            self._stages.insert(place, Sort([newest], ROWS_MAX, self._budget))
        if Limit not in kinds:
            self._stages.append(Limit(self._limit))
        for stage, after in zip(self._stages, self._stages[1:], strict=False):
            if isinstance(stage, Sort) and isinstance(after, Limit):
                stage.keep = after.left

    def _expression(self) -> Expression:
        return ExpressionParser(self._reader, self._scope).parse()

    def _named(self) -> tuple[str, Expression, bool]:
        """An expression, its name, and whether it is more than a field of that name."""
        reader = self._reader
        start = reader.at
        made = self._expression()
        text = reader.text[start : reader.at].strip()
        if reader.has_word("as"):
            return reader.name(), made, True
        name = text.strip("`")
        return name, made, _NAME.match(name) is None and not text.startswith("`")

    def _list(self) -> list[tuple[str, Expression, bool]]:
        made = [self._named()]
        while self._reader.has(","):
            made.append(self._named())
            if len(made) > _FIELDS_MAX:
                raise self._reader.error(f"more than {_FIELDS_MAX} fields")
        return made

    def _fields(self) -> None:
        listed = self._list()
        self._compute(listed)
        self._shown.fields += [name for name, _, _ in listed]
        if len(self._shown.fields) > _FIELDS_MAX:
            raise self._reader.error(f"more than {_FIELDS_MAX} fields")

    def _display(self) -> None:
        listed = self._list()
        self._compute(listed)
        self._shown.display = [name for name, _, _ in listed]

    def _compute(self, listed: list[tuple[str, Expression, bool]]) -> None:
        made = [(name, expression) for name, expression, is_made in listed if is_made]
        if made:
            self._stages.append(Compute(made))

    def _filter(self) -> None:
        self._stages.append(Filter(self._expression()))

    def _parse(self) -> None:
        reader = self._reader
        source: Expression = lambda row: row.get("@message")  # noqa: E731
        regex, glob = reader.regex(), None
        if regex is None:
            glob = reader.quoted()
        if regex is None and glob is None:
            source = self._expression()
            regex = reader.regex()
            glob = None if regex is not None else reader.quoted()
        if regex is not None:
            groups, _ = compile_groups(regex)
            self._stages.append(Parse(source, groups))
            return
        if glob is None:
            raise reader.error("expected a pattern")
        if not reader.has_word("as"):
            raise reader.error("expected as")
        names = [reader.name()]
        while reader.has(","):
            names.append(reader.name())
        if len(names) != glob.count("*"):
            raise reader.error("as many names as * in the pattern are needed")
        self._stages.append(Parse(source, _glob(glob, names)))

    def _stats_command(self) -> None:
        self._stats += 1
        if self._stats > _STATS_MAX:
            raise self._reader.error(f"more than {_STATS_MAX} stats commands")
        reader = self._reader
        aggregates = [self._aggregate()]
        while reader.has(","):
            aggregates.append(self._aggregate())
            if len(aggregates) > _FIELDS_MAX:
                raise reader.error(f"more than {_FIELDS_MAX} functions")
        by = [(name, made) for name, made, _ in self._list()] if reader.has_word("by") else []
        self._stages.append(Stats([each[1] for each in aggregates], by, self._budget))
        self._shown = _Shown(stats=[name for name, _ in by] + [each[0] for each in aggregates])

    def _aggregate(self) -> tuple[str, tuple[str, Maker, list[Expression]]]:
        reader = self._reader
        start = reader.at
        known = AGGREGATES.get(function := reader.peek_word())
        if known is None:
            raise reader.error(f"there is no function {function!r} of stats")
        reader.has_word(function)
        count, make = known
        reader.need("(")
        arguments: list[Expression] = []
        if function == "count" and (reader.has("*") or reader.text.startswith(")", reader.at)):
            count = 0
        while len(arguments) < count:
            if arguments:
                reader.need(",")
            arguments.append(self._expression())
        reader.need(")")
        name = reader.text[start : reader.at].strip()
        if reader.has_word("as"):
            name = reader.name()
        return name, (name, make, arguments)

    def _sort(self) -> None:
        reader = self._reader
        keys: list[tuple[Expression, bool]] = []
        while True:
            start = reader.at
            made = self._expression()
            text = reader.text[start : reader.at].strip()
            keys.append((_or_column(text, made), reader.has_word("asc", "desc") == "desc"))
            if not reader.has(","):
                break
            if len(keys) >= _FIELDS_MAX:
                raise reader.error(f"more than {_FIELDS_MAX} fields")
        self._stages.append(Sort(keys, ROWS_MAX, self._budget))

    def _limit_command(self) -> None:
        self._stages.append(Limit(self._reader.count(ROWS_MAX)))

    def _dedup(self) -> None:
        names = [self._reader.name()]
        while self._reader.has(","):
            names.append(self._reader.name())
            if len(names) > _FIELDS_MAX:
                raise self._reader.error(f"more than {_FIELDS_MAX} fields")
        self._scope.names.update(names)
        self._stages.append(Dedup(names, self._budget))


def _or_column(text: str, made: Expression) -> Expression:
    """What a sort is by: a column that is there under this text, or else the expression."""

    def run(row: Row) -> Value:
        return row[text] if text in row else made(row)

    return run


def _glob(pattern: str, names: list[str]) -> Callable[[str], Mapping[str, str | None]]:
    """What the * of a pattern stand for in a text; the last takes the rest if it ends the pattern.

    Each stands for as few characters as it can.
    """
    first, *between = pattern.split("*")

    def groups(value: str) -> Mapping[str, str | None]:
        at = value.find(first)
        if at < 0:
            return {}
        at += len(first)
        found: dict[str, str | None] = {}
        for place, (name, following) in enumerate(zip(names, between, strict=True)):
            is_last = place == len(names) - 1
            end = len(value) if is_last and not following else value.find(following, at)
            if end < 0:
                return {}
            found[name] = value[at:end]
            at = end + len(following)
        return found

    return groups
