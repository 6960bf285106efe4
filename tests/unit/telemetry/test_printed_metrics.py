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


async def test_a_line_that_cannot_be_taken_holds_up_no_other(store, monkeypatch, caplog):
    """Who logs hears nothing of it; the server's log tells, and the next line counts."""
    clock = ManualClock()
    sink = MetricSink(store, clock)
    embedded = EmbeddedMetrics(sink, clock)

    def fail(_line, _now):
        raise OverflowError("a number too large")

    with monkeypatch.context() as patch:
        patch.setattr("emberbox.telemetry.embedded_metrics.read", fail)
        for _ in range(40):
            embedded.heard(STREAM, printed(clock, 1))
        await sink.flush()
    embedded.heard(STREAM, printed(clock, 5))
    await sink.flush()

    assert await totals(store, SeriesKey("1", "us-east-1", "App", "Jobs")) == (1, 5)
    assert "could not be taken" in caplog.text


async def test_a_flood_of_values_keeps_within_its_bound(store):
    """Lists are long to count: values are bounded too, until the next write."""
    clock = ManualClock()
    sink = MetricSink(store, clock)
    embedded = EmbeddedMetrics(sink, clock)

    for _ in range(800):
        embedded.heard(STREAM, printed(clock, [1] * 100))
    await sink.flush()
    flooded = await totals(store, SeriesKey("1", "us-east-1", "App", "Jobs"))
    embedded.heard(STREAM, printed(clock, 1))
    await sink.flush()

    assert flooded[0] == 50_000
    assert (await totals(store, SeriesKey("1", "us-east-1", "App", "Jobs")))[0] == 50_001


async def test_points_that_could_not_be_written_are_kept(store, monkeypatch):
    """Whatever the reason: they are in the next write."""
    sink = MetricSink(store, ManualClock())
    key = SeriesKey("1", "us-east-1", "App", "Jobs")
    sink.add(key, 1.0)

    async def fail(_points):
        raise OverflowError("a number too large")

    with monkeypatch.context() as patch:
        patch.setattr(store, "add", fail)
        with pytest.raises(OverflowError):
            await sink.flush()
    await sink.flush()

    assert await totals(store, key) == (1, 1)


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
