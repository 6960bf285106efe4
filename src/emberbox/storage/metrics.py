"""Metrics on disk: series and points. Committed points survive the end of the server."""

import sqlite3
from collections.abc import Iterable, Mapping
from json import dumps, loads
from typing import NamedTuple

from emberbox.model.metrics import Dimension, Point, SeriesKey
from emberbox.storage.database import Database, Transaction

KEEP_S = 15 * 86_400
"""How long points are kept, in seconds."""

_POINTS_MAX = 120_000


class Series(NamedTuple):
    """A series, its number, and when it last got a value (epoch seconds)."""

    number: int
    key: SeriesKey
    last_s: int


class MetricStore:
    """Points are merged into what is stored for their time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, points: Mapping[tuple[SeriesKey, int], Point]) -> None:
        """Merge points, by series and time (epoch seconds)."""

        def work(tx: Transaction) -> None:
            numbers: dict[SeriesKey, int] = {}
            for (key, at), point in points.items():
                if key not in numbers:
                    numbers[key] = _series_number(tx, key, at)
                _merge(tx, numbers[key], at, point)

        await self._database.write(work)

    async def points(
        self, key: SeriesKey, start: int, end: int, unit: str | None
    ) -> list[tuple[int, str, Point]]:
        """(time, unit, point) of a metric from start until before end, whatever its unit if None.

        The unit of `key` is not looked at.
        """
        where = {**_of_key(key), "unit": unit}

        def work(tx: Transaction) -> list[tuple[int, str, Point]]:
            found = []
            for series in tx.all("series_of_metric", **where):
                rows = tx.all(
                    "points_between", series=series["id"], start=start, end=end, limit=_POINTS_MAX
                )
                found += [(row["at"], series["unit"], _point(row)) for row in rows]
            return found

        return await self._database.read(work)

    async def list(
        self,
        account: str,
        region: str,
        *,
        namespace: str | None,
        name: str | None,
        since: int,
        after: int,
        limit: int,
    ) -> list[Series]:
        """A page of the series that had a value since then, in the order they came to be."""
        rows = await self._database.read(
            lambda tx: tx.all(
                "series_list",
                account=account,
                region=region,
                namespace=namespace,
                name=name,
                since=since,
                after=after,
                limit=limit,
            )
        )
        return [_series(row) for row in rows]

    async def forget(self, before: int) -> None:
        """Drop points and series that are older."""

        def work(tx: Transaction) -> None:
            tx.run("points_forget", before=before)
            tx.run("series_forget", before=before)

        await self._database.write(work)


def _series_number(tx: Transaction, key: SeriesKey, at: int) -> int:
    row = tx.one("series_add", **_of_key(key), unit=key.unit, last_s=at)
    if row is None:
        raise sqlite3.IntegrityError("the series got no number")
    return int(row["id"])


def _merge(tx: Transaction, series: int, at: int, point: Point) -> None:
    row = tx.one("point", series=series, at=at)
    merged = Point() if row is None else _point(row)
    merged.merge(point)
    tx.run(
        "point_put",
        series=series,
        at=at,
        count=merged.count,
        total=merged.total,
        low=merged.low,
        high=merged.high,
        content=None if merged.is_opaque else dumps(list(merged.values.items())),
    )


def _of_key(key: SeriesKey) -> dict[str, str]:
    return {
        "account": key.account,
        "region": key.region,
        "namespace": key.namespace,
        "name": key.name,
        "dimensions": _written(key.dimensions),
    }


def _written(dimensions: Iterable[Dimension]) -> str:
    return dumps([[d.name, d.value] for d in dimensions], separators=(",", ":"))


def _series(row: sqlite3.Row) -> Series:
    dimensions = tuple(Dimension(name, value) for name, value in loads(row["dimensions"]))
    key = SeriesKey(
        row["account"], row["region"], row["namespace"], row["name"], dimensions, row["unit"]
    )
    return Series(row["id"], key, row["last_s"])


def _point(row: sqlite3.Row) -> Point:
    content = row["content"]
    values = {} if content is None else dict(loads(content))
    return Point(
        row["count"], row["total"], row["low"], row["high"], values, is_opaque=content is None
    )
