"""What has ended and is in no database yet is found again, once, by the next server."""

import errno
from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emberbox.clock import ManualClock
from emberbox.model.invocation import Invocation
from emberbox.model.report import Measurement, Restored
from emberbox.storage.database import Database
from emberbox.storage.metrics import MetricStore
from emberbox.storage.usage import UsageStore
from emberbox.telemetry import usage_journal
from emberbox.telemetry.lambda_metrics import LambdaMetrics
from emberbox.telemetry.live import Live
from emberbox.telemetry.metrics import MetricSink
from emberbox.telemetry.usage import UsageSink
from emberbox.telemetry.usage_journal import UsageJournal
from specimens import function_version

FUNCTION = function_version("journaled")
ARN = "arn:aws:lambda:us-east-1:123456789012:function:journaled:live"


def measured(number):
    restored = Restored(3.0, 2.0) if number % 3 == 0 else None
    return Measurement(f"id-{number}", 1.5 + number, 128, 1 << 20, None, None, None, restored)


@pytest.fixture
async def store(tmp_path):
    database = await Database.open(tmp_path / "usage.db", "usage", durable=False)
    yield UsageStore(database)
    await database.close()


@pytest.fixture
async def metrics(tmp_path):
    database = await Database.open(tmp_path / "metrics.db", "metrics", durable=False)
    yield LambdaMetrics(MetricSink(MetricStore(database), ManualClock()))
    await database.close()


async def runs_of(store):
    return sum(row.totals.runs for row in await store.totals("1970-01-01"))


async def test_a_killed_server_loses_no_usage_and_counts_none_twice(store, metrics, tmp_path):
    """What was committed, what was not, and what was committed but not yet struck out."""
    folder = tmp_path / "usage"

    def server():
        return UsageSink(store, metrics, Live(), ManualClock(), UsageJournal(folder))

    ended = 0
    for life in range(4):
        sink = server()
        await sink.recover()
        assert await runs_of(store) == ended
        for number in range(300):
            sink.add(FUNCTION, Invocation("r", b"", 3, ARN, ""), measured(number))
            ended += 1
            if number == 100 * life:
                await sink.flush()
        # No close: the process is gone, its files are as they are.
    await server().recover()

    assert await runs_of(store) == ended
    [newest, *_] = await store.runs("123456789012", "us-east-1", name="journaled", since=0, limit=1)
    assert newest.qualifier == "live"
    assert not list(folder.iterdir())


def test_records_grow_a_file_and_stay_within_bounds(tmp_path, monkeypatch):
    """Beyond the most that one may have, it says that it is not whole."""
    monkeypatch.setattr(usage_journal, "_FIRST_BYTES", 4_096)
    monkeypatch.setattr(usage_journal, "_MOST_BYTES", 16_384)
    journal = UsageJournal(tmp_path / "usage")
    for number in range(500):
        journal.add(1.0, FUNCTION, ARN, measured(number))
    assert journal.rotate() == (1, False)
    journal.add(1.0, FUNCTION, ARN, measured(0))
    assert journal.rotate() == (2, True)
    assert [each.request_id for each in journal.read(2)] == ["id-0"]
    (generation, found), _ = UsageJournal(tmp_path / "usage").left(0)
    assert generation == 1
    assert 100 < len(found) < 250
    assert [each.request_id for each in found] == [f"id-{n}" for n in range(len(found))]


@given(st.data())
def test_a_damaged_file_ends_at_its_damage(tmp_path_factory, data):
    """All records before it count, and nothing that was never written."""
    folder = tmp_path_factory.mktemp("journal")
    journal = UsageJournal(folder)
    for number in range(20):
        journal.add(1.0, FUNCTION, ARN, measured(number))
    journal.close()
    (path,) = folder.iterdir()
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, 3_000))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(bytes(content))
    ((_, found),) = UsageJournal(folder).left(0)
    assert [each.request_id for each in found] == [f"id-{n}" for n in range(len(found))]


def test_no_record_is_kept_without_its_name(tmp_path, monkeypatch):
    """Where the file had no room for the name, and had some for a record: nobody knew whose it is.

    What was before is found all the same.
    """
    journal = UsageJournal(tmp_path / "usage")
    journal.add(1.0, FUNCTION, ARN, measured(1))
    number = 0
    while journal._size - journal._at > 400:
        number += 1
        journal.add(1.0, FUNCTION, ARN, measured(1))

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(usage_journal.os, "posix_fallocate", full)
    other = replace(FUNCTION, name="x" * 64)
    for _ in range(3):
        journal.add(2.0, other, ARN + "x" * 400, measured(2))
    journal.add(3.0, FUNCTION, ARN, measured(3))
    journal.close()

    found = [usage for _, listed in UsageJournal(tmp_path / "usage").left(0) for usage in listed]
    assert len(found) == number + 2
    assert {usage.subject.name for usage in found} == {FUNCTION.name}


def test_a_generation_of_another_version_of_the_server_ends_at_what_cannot_be_read(tmp_path):
    """The server starts."""
    journal = UsageJournal(tmp_path / "usage")
    journal.add(1.0, FUNCTION, ARN, measured(1))
    journal._append(orjson.dumps((0, 1.0, *measured(2), "a member of another time")))
    journal.add(1.0, FUNCTION, ARN, measured(3))
    journal.close()

    ((_, found),) = UsageJournal(tmp_path / "usage").left(0)

    assert len(found) == 1
