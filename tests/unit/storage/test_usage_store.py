"""Usage on disk."""

import itertools

import pytest

from emberbox.model.usage import Subject, Usage
from emberbox.storage import usage as usage_module
from emberbox.storage.database import Database
from emberbox.storage.usage import TooMuchError, UsageStore

SUBJECT = Subject("1", "r", "f", "$LATEST", 128, 512, "x86_64")
DAY = 86_400.0


def usage(at=0.0, *, subject=SUBJECT, error="", init_ms=None):
    """One invocation."""
    return Usage(subject, "id", at, 1.5, 2, init_ms, 30, 0.5, error)


class Numbered:
    """A store whose batches get their numbers here."""

    def __init__(self, store):
        self._store = store
        self._numbers = itertools.count(1)

    def __getattr__(self, name):
        return getattr(self._store, name)

    async def add(self, records):
        await self._store.add(records, next(self._numbers))


@pytest.fixture
async def store(tmp_path):
    database = await Database.open(tmp_path / "usage.db", "usage", durable=False)
    yield Numbered(UsageStore(database))
    await database.close()


async def test_sums_by_day_and_subject(store):
    """Each day and each configuration of its own, whichever batch the records came in."""
    other = SUBJECT._replace(memory_mb=256)
    await store.add([usage(0), usage(1, error="Unhandled"), usage(DAY)])
    await store.add([usage(2, init_ms=5.0), usage(3, subject=other)])

    rows = await store.totals("1970-01-01")

    found = {(row.day, row.subject.memory_mb): row.totals for row in rows}
    first = found["1970-01-01", 128]
    assert (first.runs, first.errors, first.cold, first.billed_ms) == (3, 1, 1, 6)
    assert found["1970-01-02", 128].runs == 1
    assert found["1970-01-01", 256].runs == 1


async def test_what_ran_on_provisioned_environments_is_a_part_of_the_sums(store):
    """And is told of each invocation."""
    await store.add([usage(0), usage(1)._replace(is_provisioned=True)])

    [row] = await store.totals("1970-01-01")
    runs = await store.runs("1", "r", name="f", since=0.0, limit=9)

    assert (row.totals.billed_ms, row.totals.provisioned_ms) == (4, 2)
    assert [run.is_provisioned for run in runs] == [True, False]


async def test_more_sums_than_are_read_at_once_are_no_part_of_a_bill(store, monkeypatch):
    """Rather none than one that lacks something."""
    monkeypatch.setattr(usage_module, "ROWS_MAX", 2)
    for day in range(3):
        await store.add([usage(day * 86_400.0)])

    with pytest.raises(TooMuchError, match="more than 2 sums since 1970-01-01"):
        await store.totals("1970-01-01")
    assert len(await store.totals("1970-01-02")) == 2


async def test_sums_since_a_day_and_of_an_account(store):
    """Earlier days and other accounts are left out."""
    await store.add([usage(0), usage(DAY), usage(DAY, subject=SUBJECT._replace(account="2"))])

    assert len(await store.totals("1970-01-02")) == 2
    assert len(await store.totals("1970-01-02", "2")) == 1


async def test_what_was_collected_side_by_side_is_put_in_order(store):
    """Bundles overlap in time; the limit and the beginning hold for single runs."""
    other = SUBJECT._replace(memory_mb=256)
    await store.add(
        [usage(1), usage(6), usage(9), usage(2, subject=other), usage(8, subject=other)]
    )
    await store.add([usage(7), usage(10)])

    async def times(limit, since=0):
        runs = await store.runs("1", "r", name="f", since=since, limit=limit)
        return [each.at for each in runs]

    assert await times(9) == [10, 9, 8, 7, 6, 2, 1]
    assert await times(3) == [10, 9, 8]
    assert await times(9, since=7) == [10, 9, 8, 7]


async def test_single_runs_come_newest_first_and_are_forgotten(store):
    """The sums stay."""
    await store.add([usage(5)])
    await store.add([usage(7)])
    before = await store.runs("1", "r", name="f", since=0, limit=9)

    await store.forget(6)

    assert [each.at for each in before] == [7, 5]
    assert before[0] == usage(7)
    assert [each.at for each in await store.runs("1", "r", name=None, since=0, limit=9)] == [7]
    assert (await store.totals("1970-01-01"))[0].totals.runs == 2


async def test_a_generation_is_kept_once(store):
    """Whoever writes it again changes nothing, and it is known which was the last."""
    kept = store._store
    await kept.add([usage(5)], 3)
    await kept.add([usage(5)], 3)
    await kept.add([usage(6)], 2)
    assert await kept.generation() == 3
    assert (await kept.totals("1970-01-01"))[0].totals.runs == 1
