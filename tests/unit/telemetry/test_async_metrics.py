"""Metrics of asynchronous events are counted in memory and given away when they are wanted."""

import pytest

from emberbox.clock import ManualClock
from emberbox.model.async_invocation import QueuedEvent
from emberbox.storage.database import Database
from emberbox.storage.metrics import MetricStore
from emberbox.telemetry.async_metrics import AsyncMetrics
from emberbox.telemetry.lambda_metrics import NAMESPACE, LambdaMetrics
from emberbox.telemetry.metrics import MetricSink

EVENT = QueuedEvent("1", "r", "f", "live", "id", b"{}", 0.0, 0.0)


@pytest.fixture
async def parts(tmp_path):
    """A clock, what counts, and the sink and the store behind it."""
    database = await Database.open(tmp_path / "metrics.db", "metrics", durable=False)
    clock, store = ManualClock(), MetricStore(database)
    sink = MetricSink(store, clock)
    yield clock, AsyncMetrics(LambdaMetrics(sink), clock), sink, store
    await database.close()


async def test_each_value_stands_in_the_minute_it_was_counted_in(parts):
    """However late somebody asks, and not twice if asked again."""
    clock, count, sink, store = parts
    begun = int(clock.now()) // 60 * 60
    count("AsyncEventAge", EVENT, 5.0)
    count("AsyncEventAge", EVENT, 7.0)
    clock.advance(60)
    count("AsyncEventAge", EVENT, 9.0)
    clock.advance(600)

    await sink.flush()
    await sink.flush()

    listed = await store.list(
        "1", "r", namespace=NAMESPACE, name="AsyncEventAge", since=0, after=0, limit=9
    )
    assert {len(series.key.dimensions) for series in listed} == {0, 1, 2}
    for series in listed:
        points = await store.points(series.key, begun, begun + 3_600, None)
        assert [(at - begun, p.count, p.total) for at, _, p in points] == [(0, 2, 12), (60, 1, 9)]
