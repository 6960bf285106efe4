"""For how long environments are kept ahead of need."""

import pytest

from emberbox.clock import ManualClock
from emberbox.errors import PlatformError
from emberbox.storage.database import Database
from emberbox.storage.usage import UsageStore
from emberbox.telemetry.kept_time import KeptTime
from specimens import function_version

FUNCTION = function_version("kept")


@pytest.fixture
async def store(tmp_path):
    database = await Database.open(tmp_path / "usage.db", "usage", durable=False)
    yield UsageStore(database)
    await database.close()


@pytest.fixture
def clock():
    return ManualClock(86_400.0)


@pytest.fixture
def kept(store, clock):
    return KeptTime(store, clock)


@pytest.fixture
def looks(kept, clock):
    """Looks at the function so many times, with a pause after each."""

    def look(*counts, pause=1.0):
        for count in counts:
            kept.look(FUNCTION, count)
            clock.advance(pause)

    return look


async def test_each_environment_counts_from_look_to_look(kept, looks, store):
    """What there was at the look before; none any more, or not yet, is nothing."""
    looks(0, 2, 3, 3, 0, 0)
    await kept.write()

    [row] = await store.totals("1970-01-01")

    assert (row.day, row.totals.runs) == ("1970-01-02", 0)
    assert row.totals.kept_ms == pytest.approx(8_000)
    assert await store.last_days("1970-01-01") == {}


async def test_what_is_written_is_added(kept, looks, store):
    """To the sum of the day."""
    for _ in range(2):
        looks(1, 1)
        await kept.write()

    [row] = await store.totals("1970-01-01")

    assert row.totals.kept_ms == pytest.approx(3_000)


async def test_nobody_pays_for_a_time_without_looks(kept, looks, store):
    """The version had gone."""
    looks(5, pause=600.0)
    looks(5)
    await kept.write()

    assert await store.totals("1970-01-01") == []


async def test_what_cannot_be_written_is_written_later(kept, looks, store, monkeypatch):
    """A disk that is full costs nothing."""

    async def full(*_arguments):
        raise PlatformError("full")

    looks(1, 1)
    monkeypatch.setattr(store, "keep", full)
    with pytest.raises(PlatformError):
        await kept.write()
    monkeypatch.undo()
    await kept.write()

    [row] = await store.totals("1970-01-01")
    assert row.totals.kept_ms == pytest.approx(1_000)
