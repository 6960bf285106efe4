"""What invocations used is written once, whenever the server stops."""

import asyncio

import pytest

from emberbox.clock import ManualClock
from emberbox.errors import PlatformError
from emberbox.model.invocation import Invocation
from emberbox.model.report import Measurement
from emberbox.storage.database import Database
from emberbox.storage.metrics import MetricStore
from emberbox.storage.usage import UsageStore
from emberbox.telemetry import usage as module
from emberbox.telemetry.lambda_metrics import LambdaMetrics
from emberbox.telemetry.live import Live, Name
from emberbox.telemetry.metrics import MetricSink
from emberbox.telemetry.usage import UsageSink
from emberbox.telemetry.usage_journal import UsageJournal
from specimens import function_version

RUNS = 3_000
FUNCTION = function_version("counted")
ARN = "arn:aws:lambda:us-east-1:123456789012:function:counted:live"


@pytest.fixture
async def parts(tmp_path):
    """A sink, and the store behind it."""
    clock = ManualClock()
    usage = await Database.open(tmp_path / "usage.db", "usage", durable=False)
    metrics = await Database.open(tmp_path / "metrics.db", "metrics", durable=False)
    store = UsageStore(usage)
    live = Live()
    counted = LambdaMetrics(MetricSink(MetricStore(metrics), clock))
    sink = UsageSink(store, counted, live, clock, UsageJournal(tmp_path / "usage"))
    yield sink, store, live
    await usage.close()
    await metrics.close()


def run(sink, count):
    """So many invocations end."""
    for number in range(count):
        invocation = Invocation(f"id-{number}", b"{}", 3, ARN, "")
        sink.add(FUNCTION, invocation, Measurement(f"id-{number}", 1.5, 128, 1 << 20))


async def runs_of(store):
    """How many are in the sums."""
    return sum(row.totals.runs for row in await store.totals("1970-01-01"))


async def test_a_stop_in_the_middle_of_a_write_writes_nothing_twice(parts, monkeypatch):
    """What a cancelled write was to write is written all the same."""
    sink, store, _ = parts
    monkeypatch.setattr(module, "_FLUSH_S", 0.0)
    begun, add = asyncio.Event(), store.add

    async def announced(records, generation):
        begun.set()
        await add(records, generation)

    monkeypatch.setattr(store, "add", announced)
    run(sink, RUNS)
    sink.open()
    await asyncio.wait_for(begun.wait(), 60)

    await sink.close()
    await add([], 1_000)  # writes happen in their order: the cancelled one has happened

    assert await runs_of(store) == RUNS


async def test_what_cannot_be_written_is_written_later(parts, monkeypatch):
    """All of it, in order."""
    sink, store, _ = parts
    run(sink, 5)

    async def refuse(_records, _generation):
        raise PlatformError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(store, "add", refuse)
        with pytest.raises(PlatformError):
            await sink.flush()
    await sink.flush()

    assert await runs_of(store) == 5
    [newest, *_] = await store.runs("123456789012", "us-east-1", name="counted", since=0, limit=1)
    assert newest.qualifier == "live"


async def test_what_ends_while_an_earlier_batch_is_written_is_on_the_bill(
    parts, monkeypatch, tmp_path
):
    """Also of one that is killed just afterwards: it is of the batch whose journal it is in."""
    sink, store, live = parts
    monkeypatch.setattr(module, "_BATCH", 128)
    add = store.add

    async def meanwhile(records, generation):
        monkeypatch.setattr(store, "add", add)
        run(sink, 2)
        await add(records, generation)

    run(sink, 128)
    run(sink, 3)
    monkeypatch.setattr(store, "add", meanwhile)
    await sink.flush()
    # No close: the process is gone, its files are as they are.
    journal = UsageJournal(tmp_path / "usage")
    await UsageSink(store, sink._metrics, live, ManualClock(), journal).recover()

    assert await runs_of(store) == 128 + 3 + 2


async def test_counters_show_what_has_been_folded(parts):
    """Many at once, or as soon as somebody looks."""
    sink, _, live = parts
    run(sink, 130)
    name = Name("123456789012", "us-east-1", "counted")
    before = live.functions[name].runs

    sink.fold()

    assert before == 128
    assert live.functions[name].runs == 130


class Broken:
    """A store that takes nothing for now."""

    def __init__(self, store, patch):
        self.add, self.patch = store.add, patch
        patch.setattr(store, "add", self.refuse)
        self.store = store

    async def refuse(self, _records, _generation):
        raise PlatformError("the database is damaged")

    def mend(self):
        self.patch.setattr(self.store, "add", self.add)


async def test_what_waits_long_for_the_database_waits_on_disk(parts, monkeypatch):
    """Little of it in memory; it is written when that can be, all of it and in its order."""
    sink, store, _ = parts
    monkeypatch.setattr(module, "_BATCH", 128)
    broken = Broken(store, monkeypatch)
    for _ in range(20):
        run(sink, 256)
        with pytest.raises(PlatformError):
            await sink.flush()
    in_memory = [batch for _, batch in sink._sealed if batch is not None]
    assert (len(sink._sealed), len(in_memory)) == (40, module._IN_MEMORY)

    broken.mend()
    await sink.flush()

    assert await runs_of(store) == 20 * 256
    assert sink.lost == 0


async def test_what_can_be_written_nowhere_is_counted_as_lost(parts, monkeypatch, tmp_path, caplog):
    """Neither in the database nor in the journal: some is kept in memory, and it is told once."""
    sink, store, _ = parts
    monkeypatch.setattr(module, "_BATCH", 128)
    (tmp_path / "usage").write_text("no directory")
    broken = Broken(store, monkeypatch)
    for _ in range(50):
        run(sink, 128)
    kept = module._UNREADABLE_MAX * 128
    assert sink.lost == 50 * 128 - kept
    assert [each.levelname for each in caplog.records].count("ERROR") == 1

    broken.mend()
    await sink.flush()

    assert await runs_of(store) == kept
    run(sink, 128)
    await sink.flush()
    assert await runs_of(store) == kept + 128


async def test_trying_again_leaves_no_small_batches_behind(parts, monkeypatch):
    """However often: what is pending goes on to be pending."""
    sink, store, _ = parts
    broken = Broken(store, monkeypatch)
    for _ in range(50):
        run(sink, 1)
        with pytest.raises(PlatformError):
            await sink.flush()
    assert len(sink._sealed) == 1

    broken.mend()
    await sink.flush()

    assert await runs_of(store) == 50
