"""Takes log events at full speed and brings them to the log store in batches.

An appended event is in memory; at the end of the event loop's turn it is in the journal, where it
survives the end of the process; a moment later it is in the store, and readable. If the store
cannot be written, events are kept within a bound, the oldest are given up and counted, and the
server goes on.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

from emberbox.clock import Clock
from emberbox.errors import PlatformError
from emberbox.model.embedded_metrics import MARK
from emberbox.model.log_events import Event, Slice, StreamKey, slices
from emberbox.storage.logs import LogStore
from emberbox.telemetry.journal import Journal

HIGH_WATER_BYTES = 16_777_216
"""Above so many pending bytes a caller should stop reading what functions print."""

FLUSH_AFTER_S = 0.25
FLUSH_AT_BYTES = 1_048_576
_KEPT_WHILE_FAILING_BYTES = 8_388_608
_KEPT_AT_MOST_BYTES = 67_108_864
_RETRY_FIRST_S = 1.0
_RETRY_LAST_S = 60.0
_SWEEP_EVERY_S = 60.0
_DROPPED_STREAMS_MAX = 1_000
_PART_BYTES = 256  # what a slice costs in memory besides its events

_log = logging.getLogger(__name__)


class LogStream:
    """Where one execution environment writes; made by `LogSink.stream`."""

    __slots__ = ("_events", "_hand_over", "_is_closed", "_is_waiting", "key")

    def __init__(self, key: StreamKey, hand_over: "Callable[[LogStream], None]") -> None:
        self.key = key
        self._hand_over = hand_over
        self._events: list[Event] = []
        self._is_waiting = False
        self._is_closed = False
        self.announce()

    def append(self, timestamp_ms: int, message: bytes) -> None:
        """Take one event; ValueError after `close`.

        The message is kept as it is. Invalid UTF-8 in it is replaced when it is read.
        """
        self.extend(timestamp_ms, (message,))

    def extend(self, timestamp_ms: int, messages: Iterable[bytes]) -> None:
        """Take several of one moment, as `append` does each."""
        if not self._is_waiting:
            self.announce()
        self._events += [(timestamp_ms, message) for message in messages]

    def close(self) -> None:
        """No more events will come. What was appended is kept. May be called again."""
        self._is_closed = True
        self._is_waiting = False

    def announce(self) -> None:
        """Ask the sink to collect this stream at the end of the loop's turn."""
        if self._is_closed:
            raise ValueError(f"log stream {self.key.name} is closed")
        self._is_waiting = True
        self._hand_over(self)

    def take(self) -> list[Event]:
        """Give what was appended since the last time to the sink."""
        events, self._events = self._events, []
        self._is_waiting = False
        return events

    def __repr__(self) -> str:
        return f"<LogStream {self.key.group} {self.key.name}>"


class LogSink:
    """Collects the events of all streams; open it in a running event loop and close it at the end.

    `metrics_heard` is given the lines that may be of the embedded metric format.
    It owns the task that writes batches and the one that removes expired events.
    """

    def __init__(self, store: LogStore, journal: Journal, clock: Clock) -> None:
        self._store = store
        self._journal = journal
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._waiting: list[LogStream] = []
        self._queue: deque[tuple[int, Slice]] = deque()
        self._pending_bytes = 0
        self._is_segment_torn = False
        self._is_journal_failing = False
        self._dropped: dict[StreamKey, int] = {}
        self._retry_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._due = asyncio.Event()
        self._closing = asyncio.Event()
        self._flushes: list[asyncio.Future[None]] = []
        self.metrics_heard: Callable[[StreamKey, bytes], None] | None = None
        self._tasks = [
            asyncio.create_task(self._write_batches(), name="log-writer"),
            asyncio.create_task(self._sweep(), name="log-sweeper"),
        ]

    @classmethod
    async def open(cls, store: LogStore, journal_path: Path, clock: Clock) -> "LogSink":
        """Begin with what a former process left in the journal, a directory; it is stored first."""
        journal = await asyncio.to_thread(Journal, journal_path)
        covered = await store.covered()
        await asyncio.to_thread(journal.discard, covered)
        journal.begin_after(covered)
        left = [
            (number, part)
            for number in journal.segments()
            for part in await asyncio.to_thread(journal.replay, number)
        ]
        sink = cls(store, journal, clock)
        sink._enqueue(left)
        await sink.flush()
        return sink

    def stream(
        self, account: str, region: str, group: str, name: str, *, is_kept: bool = True
    ) -> LogStream:
        """A stream to write to; it and its group are in the store after the next flush.

        What is written to one that is not kept is dropped.
        """
        collect = self._collect_later if is_kept else _drop
        return LogStream(StreamKey(account, region, group, name), collect)

    @property
    def pending_bytes(self) -> int:
        """What waits for the store, in bytes of memory; this turn's events are not counted."""
        return self._pending_bytes

    async def flush(self) -> None:
        """Return when everything appended so far is readable or the store has refused it."""
        self._collect()
        if self._tasks[0].done():
            return
        finished = self._loop.create_future()
        self._flushes.append(finished)
        self._due.set()
        await finished

    async def close(self) -> None:
        """Write what is pending and stop. What the store does not take stays in the journal."""
        self._collect()
        self._closing.set()
        self._due.set()
        for task in self._tasks:
            await task
        self._stop_timer()
        self._journal.close()

    def _collect_later(self, stream: LogStream) -> None:
        if not self._waiting:
            self._loop.call_soon(self._collect)
        self._waiting.append(stream)

    def _collect(self) -> None:
        if not self._waiting:
            return
        streams, self._waiting = self._waiting, []
        parts: list[Slice] = []
        for stream in streams:
            events = stream.take()
            if self.metrics_heard is not None:
                for _, message in events:
                    if MARK in message:
                        self.metrics_heard(stream.key, message)
            parts += slices(stream.key, events)
        self._write_journal(parts)
        segment = self._journal.current
        self._enqueue((segment, part) for part in parts)

    def _enqueue(self, parts: Iterable[tuple[int, Slice]]) -> None:
        for segment, part in parts:
            self._queue.append((segment, part))
            self._pending_bytes += _weight(part)
        if self._pending_bytes > _KEPT_AT_MOST_BYTES:
            self._drop_oldest(_KEPT_AT_MOST_BYTES)
        if self._pending_bytes >= FLUSH_AT_BYTES and not self._retry_s:
            self._due.set()
        elif self._timer is None:
            self._timer = self._loop.call_later(self._retry_s or FLUSH_AFTER_S, self._due.set)

    def _write_journal(self, parts: Iterable[Slice]) -> None:
        if self._is_segment_torn:
            return
        try:
            self._journal.write(parts)
        except OSError as error:
            self._is_segment_torn = True
            if not self._is_journal_failing:
                _log.error("the log journal cannot be written, events are in memory: %s", error)
            self._is_journal_failing = True
        else:
            self._is_journal_failing = False

    async def _write_batches(self) -> None:
        is_last = False
        try:
            while not is_last:
                await self._due.wait()
                is_last = self._closing.is_set()
                self._due.clear()
                self._stop_timer()
                flushes, self._flushes = self._flushes, []
                await self._write_batch()
                _settle(flushes)
        finally:
            _settle(self._flushes)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _write_batch(self) -> None:
        if not self._queue and not self._dropped:
            return
        batch, self._queue = self._queue, deque()
        dropped, self._dropped = self._dropped, {}
        covered = self._journal.finish()
        self._is_segment_torn = False
        now_ms = int(self._clock.now() * 1000)
        parts = [part for _, part in batch] + list(_reports(dropped, now_ms))
        try:
            await self._store.append(parts, covered, now_ms)
        except Exception as error:  # noqa: BLE001 - a batch that fails must not end the writer
            batch.extend(self._queue)
            self._queue = batch
            for stream, count in dropped.items():
                self._count_dropped(stream, count)
            self._has_failed(error)
        else:
            self._pending_bytes -= sum(_weight(part) for _, part in batch)
            self._journal.discard(covered)
            self._has_succeeded()

    def _has_failed(self, error: Exception) -> None:
        if not self._retry_s:
            _log.error(
                "log events cannot be stored, the newest %d bytes are kept: %s",
                _KEPT_WHILE_FAILING_BYTES,
                error,
                exc_info=None if isinstance(error, PlatformError) else error,
            )
        self._retry_s = min(max(self._retry_s * 2, _RETRY_FIRST_S), _RETRY_LAST_S)
        self._drop_oldest(_KEPT_WHILE_FAILING_BYTES)
        needed = self._queue[0][0] if self._queue else self._journal.current
        self._journal.discard(needed - 1)
        if self._timer is None:
            self._timer = self._loop.call_later(self._retry_s, self._due.set)

    def _has_succeeded(self) -> None:
        if self._retry_s:
            _log.warning("log events are stored again")
        self._retry_s = 0.0

    def _drop_oldest(self, keep_bytes: int) -> None:
        while self._queue and self._pending_bytes > keep_bytes:
            _, part = self._queue.popleft()
            self._pending_bytes -= _weight(part)
            self._count_dropped(part.stream, part.count)

    def _count_dropped(self, stream: StreamKey, count: int) -> None:
        if stream in self._dropped or len(self._dropped) < _DROPPED_STREAMS_MAX:
            self._dropped[stream] = self._dropped.get(stream, 0) + count

    async def _sweep(self) -> None:
        while not self._closing.is_set():
            try:
                async with asyncio.timeout(_SWEEP_EVERY_S):
                    await self._closing.wait()
            except TimeoutError:
                await self._expire()

    async def _expire(self) -> None:
        try:
            await self._store.expire(self._clock.now())
        except Exception:  # noqa: BLE001 - a failed sweep must not end the sweeper
            _log.exception("expired log events were not removed; the next sweep tries again")


def _drop(stream: LogStream) -> None:
    stream.take()


def _weight(part: Slice) -> int:
    return part.size_bytes + _PART_BYTES


def _settle(flushes: Iterable[asyncio.Future[None]]) -> None:
    for finished in flushes:
        if not finished.done():
            finished.set_result(None)


def _reports(dropped: dict[StreamKey, int], now_ms: int) -> Iterable[Slice]:
    for stream, count in dropped.items():
        text = f"[emberbox] {count} log events were dropped: the log store could not be written."
        yield from slices(stream, [(now_ms, text.encode())])
