"""Lines that functions print in the embedded metric format become points."""

import json

import pytest

from emberbox.clock import ManualClock
from emberbox.model.log_events import StreamKey
from emberbox.model.metrics import Dimension, SeriesKey
from emberbox.storage.database import Database
from emberbox.storage.metrics import MetricStore
from emberbox.telemetry.embedded_metrics import EmbeddedMetrics
from emberbox.telemetry.metrics import MetricSink

STREAM = StreamKey("1", "us-east-1", "/aws/lambda/f", "s")


@pytest.fixture
async def store(tmp_path):
    database = await Database.open(tmp_path / "metrics.db", "metrics", durable=False)
    yield MetricStore(database)
    await database.close()


def printed(clock, value, name="Jobs"):
    """A line with one value."""
    directive = {"Namespace": "App", "Dimensions": [[]], "Metrics": [{"Name": name}]}
    about = {"Timestamp": int(clock.now() * 1000), "CloudWatchMetrics": [directive]}
    return json.dumps({"_aws": about, name: value}).encode()


async def totals(store, key):
    """Count and sum of all points of a series."""
    points = [point for _, _, point in await store.points(key, 0, 1 << 40, None)]
    return sum(point.count for point in points), sum(point.total for point in points)


async def test_lines_become_points_and_errors_are_counted(store):
    """A good line is a value; one that names a missing value is an EMFValidationError."""
    clock = ManualClock()
    sink = MetricSink(store, clock)
    embedded = EmbeddedMetrics(sink, clock)

    for text in (printed(clock, 2), printed(clock, [3, 4]), printed(clock, None)):
        embedded.heard(STREAM, text)
    await sink.flush()

    assert await totals(store, SeriesKey("1", "us-east-1", "App", "Jobs")) == (3, 9)
    group = (Dimension("LogGroupName", "/aws/lambda/f"),)
    errors = SeriesKey("1", "us-east-1", "AWS/Logs", "EMFValidationErrors", group, "Count")
    assert await totals(store, errors) == (1, 1)


async def test_a_flood_of_lines_keeps_within_its_bound(store):
    """Lines above are dropped; what was there before them counts."""
    clock = ManualClock()
    sink = MetricSink(store, clock)
    embedded = EmbeddedMetrics(sink, clock)
    embedded.heard(STREAM, printed(clock, 1))

    for _ in range(64):
        embedded.heard(STREAM, b" " * (1 << 20) + printed(clock, 1))
    embedded.heard(STREAM, printed(clock, 1))
    await sink.flush()

    assert (await totals(store, SeriesKey("1", "us-east-1", "App", "Jobs")))[0] < 8
