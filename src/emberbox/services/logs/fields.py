"""GetLogGroupFields: which fields the events of a group have."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Final

from emberbox.clock import Clock
from emberbox.model.insights.records import ALWAYS, discovered
from emberbox.model.log_events import Cut
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.services.logs.naming import group_of
from emberbox.storage.log_reading import LogEvent, ReadRequest
from emberbox.storage.logs import LogStore

RECENT_MS: Final = 15 * 60_000
AROUND_MS: Final = 8 * 60_000
EVENTS_MAX: Final = 10_000
FIELDS_MAX: Final = 1_000
_PAGE: Final = 1_000


class FieldOperations:
    """What CloudWatch Logs tells of fields."""

    def __init__(self, store: LogStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @property
    def operations(self) -> dict[str, Operation]:
        """Operation name -> what runs it."""
        return {"GetLogGroupFields": self.get_log_group_fields}

    async def get_log_group_fields(self, context: RequestContext, params: Params) -> Params:
        """Each field with the percentage of events that have it, of the newest 10,000 at most."""
        key = group_of(context, params)
        now_ms = int(self._clock.now() * 1000)
        first_ms, last_ms = now_ms - RECENT_MS, now_ms
        if "time" in params:
            middle_ms = params["time"] * 1000
            first_ms, last_ms = middle_ms - AROUND_MS, middle_ms + AROUND_MS
        found, total = Counter[str](), 0
        high: Cut | None = Cut.before(last_ms + 1)
        while high is not None and total < EVENTS_MAX:
            request = ReadRequest(_PAGE, low=Cut.before(first_ms), high=high, newest_first=True)
            page = await self._store.read(key, request, now_ms)
            found += await asyncio.to_thread(_fields, page.events)
            total += len(page.events)
            high = page.rest
        ranked = sorted(found.items(), key=lambda each: (-each[1], each[0]))
        return {
            "logGroupFields": [
                {"name": name, "percent": 100 * count // total}
                for name, count in ranked[:FIELDS_MAX]
            ]
        }


def _fields(events: Sequence[LogEvent]) -> Counter[str]:
    always = ALWAYS - {"@ptr"}
    found: Counter[str] = Counter()
    for event in events:
        found.update(always | discovered(event.message).keys())
    return found
