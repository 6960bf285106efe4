"""The log sink: what is appended is stored once, whatever happens in between."""

import asyncio
import logging
import shutil

import pytest

from emberbox.clock import ManualClock
from emberbox.model.log_events import FIRST
from emberbox.storage.database import Database
from emberbox.storage.log_reading import ReadRequest
from emberbox.storage.log_records import GroupKey, MissingGroupError, StreamQuery
from emberbox.storage.logs import LogStore
from emberbox.telemetry import logs as sink_module
from emberbox.telemetry.logs import LogSink

GROUP = GroupKey("123456789012", "us-east-1", "/aws/lambda/f")
NOW_MS = 1_700_000_000_000


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
async def store(tmp_path):
    database = await Database.open(tmp_path / "logs.db", "logs", durable=False)
    yield LogStore(database)
    await database.close()


@pytest.fixture
async def sink(store, tmp_path, clock):
    sink = await LogSink.open(store, tmp_path / "journal", clock)
    yield sink
    await sink.close()


def stream_of(sink, name="s"):
    return sink.stream(*GROUP, name)


async def messages(store):
    found, rest = [], FIRST
    while rest is not None:
        page = await store.read(GROUP, ReadRequest(limit=10_000, low=rest), NOW_MS)
        found += [event.message for event in page.events]
        rest = page.rest
    return found


def segments(tmp_path):
    return sorted((tmp_path / "journal").iterdir())


async def test_flush_makes_events_readable(sink, store):
    """After flush all that was appended is in the store, in its order."""
    stream = stream_of(sink)
    stream.append(NOW_MS, b"one")
    stream.append(NOW_MS, "zwei \N{SNOWMAN}".encode())

    await sink.flush()

    assert await messages(store) == ["one", "zwei \N{SNOWMAN}"]
    assert sink.pending_bytes == 0


async def test_a_stream_exists_before_its_first_event(sink, store):
    """Opening a stream is enough for the group and the stream to be listed."""
    stream_of(sink)

    await sink.flush()

    assert [s.name for s in await store.streams(GROUP, StreamQuery(limit=5))] == ["s"]


async def test_invalid_utf8_is_replaced_when_read(sink, store):
    """Bytes that are no text do not get in the way."""
    stream_of(sink).append(NOW_MS, b"a\xffb")

    await sink.flush()

    assert await messages(store) == ["a\N{REPLACEMENT CHARACTER}b"]


class TellingStore(LogStore):
    """A log store that says when it has been written."""

    def __init__(self, database):
        super().__init__(database)
        self.written = asyncio.Event()

    async def append(self, parts, covered, now_ms):
        await super().append(parts, covered, now_ms)
        self.written.set()


async def test_a_batch_is_written_without_being_asked_for(tmp_path, clock):
    """More than the batch size pending makes the writer write."""
    database = await Database.open(tmp_path / "telling.db", "logs", durable=False)
    store = TellingStore(database)
    sink = await LogSink.open(store, tmp_path / "journal", clock)
    stream_of(sink).append(NOW_MS, b"x" * sink_module.FLUSH_AT_BYTES)

    async with asyncio.timeout(60):
        await store.written.wait()

    assert len(await messages(store)) == 1
    await sink.close()
    await database.close()


async def test_the_journal_is_empty_once_all_is_stored(sink, tmp_path):
    """Segments that are covered are deleted."""
    stream_of(sink).append(NOW_MS, b"one")
    await asyncio.sleep(0)
    assert len(segments(tmp_path)) == 1

    await sink.flush()

    assert segments(tmp_path) == []


async def test_a_deleted_group_comes_back_with_the_next_event(sink, store):
    """The stream goes on in a new group, without the events of the old one."""
    stream = stream_of(sink)
    stream.append(NOW_MS, b"old")
    await sink.flush()
    await store.delete_group(GROUP)
    with pytest.raises(MissingGroupError):
        await store.group(GROUP)

    stream.append(NOW_MS, b"new")
    await sink.flush()

    assert await messages(store) == ["new"]


async def test_a_closed_stream_keeps_what_it_has_and_takes_no_more(sink, store):
    """Close may be called twice; append raises after it."""
    stream = stream_of(sink)
    stream.append(NOW_MS, b"last")
    stream.close()
    stream.close()

    with pytest.raises(ValueError, match="closed"):
        stream.append(NOW_MS, b"late")

    await sink.flush()
    assert await messages(store) == ["last"]


async def test_events_of_a_killed_server_are_stored_by_the_next(store, tmp_path, clock):
    """What was in the journal is read after the next open, once."""
    sink = await LogSink.open(store, tmp_path / "journal", clock)
    stream = stream_of(sink)
    stream.append(NOW_MS, b"stored")
    await sink.flush()
    stream.append(NOW_MS, b"journal only")
    await asyncio.sleep(0)
    shutil.copytree(tmp_path / "journal", tmp_path / "killed")

    again = await LogSink.open(store, tmp_path / "killed", clock)

    assert await messages(store) == ["stored", "journal only"]
    await again.close()
    await sink.close()


async def test_segments_that_the_store_covers_are_not_replayed(store, tmp_path, clock):
    """A server killed between commit and deletion does not store events twice."""
    sink = await LogSink.open(store, tmp_path / "journal", clock)
    stream_of(sink).append(NOW_MS, b"once")
    await asyncio.sleep(0)
    shutil.copytree(tmp_path / "journal", tmp_path / "killed")
    await sink.close()

    again = await LogSink.open(store, tmp_path / "killed", clock)
    await again.close()

    assert await messages(store) == ["once"]
    assert list((tmp_path / "killed").iterdir()) == []


async def test_replay_is_exactly_once_wherever_the_journal_was_cut(tmp_path, clock):
    """For a cut at each byte: whole records are stored, once, even over two restarts."""
    database = await Database.open(tmp_path / "a.db", "logs", durable=False)
    sink = await LogSink.open(LogStore(database), tmp_path / "journal", clock)
    stream = stream_of(sink)
    expected = []
    for turn in range(3):
        stream.append(NOW_MS + turn, b"%d" % turn)
        expected.append(str(turn))
        await asyncio.sleep(0)
    (segment,) = segments(tmp_path)
    content = segment.read_bytes()
    await sink.close()
    await database.close()

    for end in range(0, len(content) + 1, 3):
        folder = tmp_path / f"cut{end}"
        (folder / "journal").mkdir(parents=True)
        (folder / "journal" / segment.name).write_bytes(content[:end])
        database = await Database.open(folder / "logs.db", "logs", durable=False)
        store = LogStore(database)
        for _ in range(2):
            again = await LogSink.open(store, folder / "journal", clock)
            await again.close()
        try:
            found = await messages(store)
        except MissingGroupError:
            found = []
        assert found == expected[: len(found)]
        assert end < len(content) or found == expected
        await database.close()


class FullStore(LogStore):
    """A log store on a full disk, until told otherwise."""

    is_full = True

    async def append(self, parts, covered, now_ms):
        if self.is_full:
            raise OSError("no space left")
        await super().append(parts, covered, now_ms)


@pytest.fixture
async def full_store(tmp_path):
    database = await Database.open(tmp_path / "full.db", "logs", durable=False)
    yield FullStore(database)
    await database.close()


async def test_a_full_disk_is_said_once_and_loses_nothing_that_fits(
    full_store, tmp_path, clock, caplog
):
    """Events wait until the store takes them again."""
    sink = await LogSink.open(full_store, tmp_path / "journal", clock)
    stream = stream_of(sink)
    for text in (b"a", b"b"):
        stream.append(NOW_MS, text)
        await sink.flush()

    full_store.is_full = False
    await sink.flush()

    assert await messages(full_store) == ["a", "b"]
    assert [r.levelno for r in caplog.records] == [logging.ERROR, logging.WARNING]
    await sink.close()
    assert segments(tmp_path) == []


async def test_a_full_disk_costs_the_oldest_events_and_a_line_about_it(full_store, tmp_path, clock):
    """Memory stays bounded, the journal too, and the loss is a log event with its count."""
    sink = await LogSink.open(full_store, tmp_path / "journal", clock)
    stream = stream_of(sink)
    for number in range(12):
        stream.append(NOW_MS, b"%d" % number + b"x" * 1_000_000)
        await sink.flush()
    kept = sink_module._KEPT_WHILE_FAILING_BYTES
    assert sink.pending_bytes <= kept
    assert len(segments(tmp_path)) <= 9

    full_store.is_full = False
    await sink.flush()

    *events, report = await messages(full_store)
    assert [e[: e.index("x")] for e in events] == ["4", "5", "6", "7", "8", "9", "10", "11"]
    assert report.startswith("[emberbox] 4 log events were dropped")
    await sink.close()


async def test_a_store_that_stays_full_leaves_the_journal_for_the_next_start(
    full_store, tmp_path, clock
):
    """Closing does not hang, and what could not be stored is stored by the next server."""
    sink = await LogSink.open(full_store, tmp_path / "journal", clock)
    stream_of(sink).append(NOW_MS, b"later")
    await sink.close()
    full_store.is_full = False

    again = await LogSink.open(full_store, tmp_path / "journal", clock)

    assert await messages(full_store) == ["later"]
    await again.close()


async def test_a_journal_that_cannot_be_written_is_said_once(sink, store, tmp_path, caplog):
    """Events still reach the store."""
    (tmp_path / "journal").rmdir()
    stream = stream_of(sink)
    for text in (b"a", b"b"):
        stream.append(NOW_MS, text)
        await sink.flush()

    assert await messages(store) == ["a", "b"]
    assert [r.levelno for r in caplog.records] == [logging.ERROR]


async def test_a_cancelled_flush_loses_nothing(sink, store):
    """A client that goes away while it waits does not take the batch with it."""
    stream_of(sink).append(NOW_MS, b"kept")
    waiting = asyncio.create_task(sink.flush())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    await sink.flush()

    assert await messages(store) == ["kept"]


async def test_flush_after_close_returns(store, tmp_path, clock):
    """A late reader is not kept waiting."""
    sink = await LogSink.open(store, tmp_path / "journal", clock)
    await sink.close()

    async with asyncio.timeout(60):
        await sink.flush()

    assert sink.pending_bytes == 0
