"""Runs queries of Logs Insights: a slice of events at a time, in threads, a few queries at once.

Results are kept in memory within bounds, the oldest are given up first.
"""

import asyncio
import logging
import uuid
from collections.abc import Sequence
from dataclasses import field
from typing import Final

from emberbox.clock import Clock
from emberbox.errors import EmberboxError
from emberbox.model.insights.query import Query
from emberbox.model.insights.records import ALWAYS, discovered, record
from emberbox.model.insights.stages import BUDGET_BYTES
from emberbox.model.insights.values import TooLargeError
from emberbox.model.log_events import OVERHEAD_BYTES, Cut
from emberbox.records import dataclass
from emberbox.services.logs.naming import to_token
from emberbox.storage.log_reading import LogEvent, ReadRequest
from emberbox.storage.log_records import GroupKey, MissingGroupError
from emberbox.storage.logs import LogStore

log = logging.getLogger("emberbox.logs")

WAITING_MAX: Final = 30
_AT_ONCE: Final = 2
_SLICE: Final = 1_000
_TIME_S: Final = 900.0
_KEPT_MAX: Final = 100
_KEPT_BYTES: Final = 2 * BUDGET_BYTES

Result = list[tuple[str, str]]


@dataclass(slots=True)
class Job:
    """A query that was started, and what has become of it."""

    account: str
    region: str
    groups: Sequence[GroupKey]
    text: str
    start_ms: int
    end_ms: int
    created_s: float
    query: Query | None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "Scheduled"
    results: list[Result] = field(default_factory=list)
    size: int = 0
    matched: int = 0
    scanned: int = 0
    scanned_bytes: int = 0
    groups_scanned: int = 0
    seconds: float = 0.0
    task: "asyncio.Task[None] | None" = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self.status not in ("Scheduled", "Running")


def pointer(group: GroupKey, event: LogEvent) -> str:
    """What names an event in `GetLogRecord`."""
    return to_token(f"{event.cut.text}\n{group.name}\n{event.stream}")


class Querying:
    """See the module."""

    def __init__(self, store: LogStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._jobs: dict[str, Job] = {}
        self._turns = asyncio.Semaphore(_AT_ONCE)

    def job(self, id_: str) -> Job | None:
        """A query by its id, while it is remembered."""
        return self._jobs.get(id_)

    def jobs(self) -> list[Job]:
        """All that are remembered, the newest first."""
        return list(reversed(self._jobs.values()))

    @property
    def waiting(self) -> int:
        """How many are not over."""
        return sum(not job.is_over for job in self._jobs.values())

    def start(self, job: Job) -> None:
        """Begin soon."""
        self._jobs[job.id] = job
        job.task = asyncio.get_running_loop().create_task(self._run(job))

    def stop(self, job: Job) -> bool:
        """End it; whether it was not over yet."""
        if job.is_over or job.task is None:
            return False
        job.status = "Cancelled"
        job.task.cancel()
        return True

    async def close(self) -> None:
        """End all."""
        tasks = [job.task for job in self._jobs.values() if job.task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _run(self, job: Job) -> None:
        began = self._clock.monotonic()
        try:
            async with self._turns, asyncio.timeout(_TIME_S):
                job.status = "Running"
                await self._read(job)
                job.status = "Complete"
        except TimeoutError:
            job.status = "Timeout"
        except (TooLargeError, EmberboxError, MissingGroupError) as error:
            job.status = "Failed"
            log.warning("the query %s has failed: %r", job.id, error)
        finally:
            job.seconds = self._clock.monotonic() - began
            job.query = job.task = None
            if not job.is_over:
                job.status = "Failed"
            self._forget()

    async def _read(self, job: Job) -> None:
        query = job.query
        if query is None:
            return
        for group in job.groups:
            job.groups_scanned += 1
            high: Cut | None = Cut.before(job.end_ms + 1)
            while high is not None and not query.pipeline.is_satisfied:
                request = ReadRequest(
                    _SLICE, low=Cut.before(job.start_ms), high=high, newest_first=True
                )
                page = await self._store.read(group, request, int(self._clock.now() * 1000))
                await asyncio.to_thread(_feed, job, query, group, page.events)
                high = page.rest
        await asyncio.to_thread(_finish, job, query)

    def _forget(self) -> None:
        over = [job for job in self._jobs.values() if job.is_over]
        size = sum(job.size for job in over)
        while over and (len(over) > _KEPT_MAX or size > _KEPT_BYTES):
            oldest = over.pop(0)
            size -= oldest.size
            del self._jobs[oldest.id]


def _feed(job: Job, query: Query, group: GroupKey, events: Sequence[LogEvent]) -> None:
    name = f"{group.account}:{group.name}"
    looks_inside = not query.names <= ALWAYS
    for event in events:
        where = "" if query.is_aggregated else pointer(group, event)
        stream = event.stream or ""
        row = record(event.message, event.timestamp_ms, event.ingested_ms, stream, name, where)
        query.pipeline.feed(discovered(event.message) | row if looks_inside else row)
        job.scanned_bytes += len(event.message) + OVERHEAD_BYTES
    job.scanned += len(events)
    job.matched = query.pipeline.matched


def _finish(job: Job, query: Query) -> None:
    query.pipeline.finish()
    job.results = [query.result(row) for row in query.pipeline.rows]
    job.matched = query.pipeline.matched
    job.size = sum(
        200 + sum(100 + len(name) + len(value) for name, value in result) for result in job.results
    )
