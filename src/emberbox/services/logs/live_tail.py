"""StartLiveTail: events of log groups as they are stored, a stream of updates."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final

from emberbox.clock import Clock
from emberbox.errors import CallerError
from emberbox.model.log_filter import compile_filter
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.services.logs.filter_pages import check_pattern
from emberbox.services.logs.naming import group_identified, invalid
from emberbox.storage.log_filters import LogFilterStore
from emberbox.storage.log_reading import LogEvent
from emberbox.storage.log_records import LogGroup
from emberbox.storage.logs import LogStore

SESSIONS_MAX: Final = 15
EVENTS_MAX: Final = 500
"""Events in one update; of more, only the newest are shown, and the update says so."""

_EVERY_S: Final = 1.0
_LONGEST_S: Final = 10_800.0


class LiveTail:
    """What CloudWatch Logs does while somebody watches."""

    def __init__(self, logs: LogStore, store: LogFilterStore, clock: Clock) -> None:
        self._logs = logs
        self._store = store
        self._clock = clock
        self._sessions = 0

    @property
    def operations(self) -> dict[str, Operation]:
        """Operation name -> what runs it."""
        return {"StartLiveTail": self.start_live_tail}

    async def start_live_tail(self, context: RequestContext, params: Params) -> Params:
        """Begin to watch: what is stored from now on, until the client leaves or three hours."""
        identifiers = dict.fromkeys(params["logGroupIdentifiers"])
        groups = [
            await self._logs.group(group_identified(context, identifier))
            for identifier in identifiers
        ]
        names, prefixes = params.get("logStreamNames"), params.get("logStreamNamePrefixes")
        if names and prefixes:
            raise invalid("logStreamNames and logStreamNamePrefixes are mutually exclusive.")
        if (names or prefixes) and len(groups) > 1:
            raise invalid("Log streams can be chosen of a single log group only.")
        pattern = params.get("logEventFilterPattern", "")
        check_pattern(pattern)
        if self._sessions >= SESSIONS_MAX:
            raise CallerError("LimitExceededException", "Too many sessions.", status=400)
        start = {
            "requestId": context.request_id,
            "sessionId": str(uuid.uuid4()),
            "logGroupIdentifiers": list(identifiers),
            "logStreamNames": names or [],
            "logStreamNamePrefixes": prefixes or [],
            "logEventFilterPattern": pattern,
        }
        position = await self._store.newest()
        chosen = _chosen(names, prefixes)
        return {"responseStream": self._events(start, groups, chosen, pattern, position)}

    async def _events(
        self,
        start: dict[str, Any],
        groups: Sequence[LogGroup],
        chosen: Callable[[LogEvent], bool],
        pattern: str,
        position: int,
    ) -> AsyncIterator[dict[str, Any]]:
        places = {group.id: position for group in groups}
        matches = compile_filter(pattern)
        end = self._clock.monotonic() + _LONGEST_S
        self._sessions += 1
        try:
            yield {"sessionStart": start}
            while self._clock.monotonic() < end:
                found: list[dict[str, Any]] = []
                for group in groups:
                    batch = await self._store.read_after(group.id, places[group.id], matches)
                    if batch is not None:
                        places[group.id] = batch.position
                        found += [_shown(group, each) for each in batch.matched if chosen(each)]
                yield {
                    "sessionUpdate": {
                        "sessionMetadata": {"sampled": len(found) > EVENTS_MAX},
                        "sessionResults": found[-EVENTS_MAX:],
                    }
                }
                await asyncio.sleep(_EVERY_S)
        finally:
            self._sessions -= 1
        raise CallerError("SessionTimeoutException", "The session has ended after three hours.")


def _chosen(
    names: Sequence[str] | None, prefixes: Sequence[str] | None
) -> Callable[[LogEvent], bool]:
    if names:
        return lambda event: event.stream in names
    if prefixes:
        return lambda event: (event.stream or "").startswith(tuple(prefixes))
    return lambda _event: True


def _shown(group: LogGroup, event: LogEvent) -> dict[str, Any]:
    return {
        "logStreamName": event.stream,
        "logGroupIdentifier": f"{group.key.account}:{group.key.name}",
        "message": event.message,
        "timestamp": event.timestamp_ms,
        "ingestionTime": event.ingested_ms,
    }
