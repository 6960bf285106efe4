"""Operations on log events: putting, getting, filtering."""

from collections.abc import Sequence

from emberbox.clock import Clock
from emberbox.model.log_events import (
    FIRST,
    LAST,
    OVERHEAD_BYTES,
    Cut,
    Event,
    StreamKey,
    slices,
)
from emberbox.model.log_filter import FilterError, compile_filter
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.records import dataclass
from emberbox.services.logs.naming import (
    bad_token,
    from_token,
    group_key,
    group_of,
    invalid,
    to_token,
)
from emberbox.services.logs.streams import sequence_token
from emberbox.storage.log_reading import LogEvent, Page, ReadRequest
from emberbox.storage.logs import DAY_MS, LogStore

BATCH_MAX_BYTES = 1_048_576
EVENTS_MAX = 10_000
OLDEST_MS = 14 * DAY_MS
NEWEST_MS = 2 * 3_600_000
SPAN_MAX_MS = DAY_MS
NEWEST_FIRST_FROM_MS = 1_704_067_200_000
"""The first of January 2024: FilterLogEvents goes backwards no further than to here."""


class EventOperations:
    """What CloudWatch Logs does with events."""

    def __init__(self, store: LogStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @property
    def operations(self) -> dict[str, Operation]:
        """Operation name -> what runs it."""
        return {
            "PutLogEvents": self.put_log_events,
            "GetLogEvents": self.get_log_events,
            "FilterLogEvents": self.filter_log_events,
        }

    async def put_log_events(self, context: RequestContext, params: Params) -> Params:
        """Store events; those that are too old or too new are named and left out."""
        key, stream = group_key(context, params["logGroupName"]), params["logStreamName"]
        events = [
            (event["timestamp"], event["message"].encode("utf-8", "replace"))
            for event in params["logEvents"]
        ]
        _check_batch(events)
        group = await self._store.group(key)
        now_ms = self._now_ms()
        window = _Window.around(events, now_ms, group.retention_days)
        good = events[window.first : window.end]
        if good and good[-1][0] - good[0][0] > SPAN_MAX_MS:
            raise invalid(
                "The batch of log events in a single PutLogEvents request cannot span more than "
                "24 hours."
            )
        parts = slices(StreamKey(*key, stream), good) if good else []
        await self._store.put(key, stream, parts, now_ms)
        answer: Params = {"nextSequenceToken": sequence_token(now_ms)}
        if window.rejected:
            answer["rejectedLogEventsInfo"] = window.rejected
        if "entity" in params:
            answer["rejectedEntityInfo"] = {"errorType": "UnsupportedLogGroupType"}
        return answer

    async def get_log_events(self, context: RequestContext, params: Params) -> Params:
        """List the events of a stream; the tokens repeat at the stream's ends."""
        key = group_of(context, params)
        low = Cut.before(params["startTime"]) if "startTime" in params else FIRST
        high = Cut.before(params["endTime"]) if "endTime" in params else LAST
        newest_first = not params.get("startFromHead", False)
        token = None
        if "nextToken" in params:
            newest_first, token = _parse_stream_token(params["nextToken"])
            low, high = (low, min(high, token)) if newest_first else (max(low, token), high)
        request = ReadRequest(
            limit=params.get("limit", EVENTS_MAX),
            low=low,
            high=high,
            newest_first=newest_first,
            streams=(params["logStreamName"],),
            single=True,
        )
        page = await self._store.read(key, request, self._now_ms())
        events = list(reversed(page.events)) if newest_first else page.events
        before, after = _edges(page, request, events, token)
        return {
            "events": [_shown(event) for event in events],
            "nextForwardToken": f"f/{after.text}/s",
            "nextBackwardToken": f"b/{before.text}/s",
        }

    async def filter_log_events(self, context: RequestContext, params: Params) -> Params:
        """List the events of a group that match, from all its streams or some."""
        key = group_of(context, params)
        request = _filter_request(params)
        page = await self._store.read(key, request, self._now_ms())
        answer: Params = {
            "events": [
                _shown(event) | {"logStreamName": event.stream, "eventId": event.cut.text}
                for event in page.events
            ],
            "searchedLogStreams": [],
        }
        if page.rest is not None:
            direction = "down" if request.newest_first else "up"
            answer["nextToken"] = to_token(f"{direction} {page.rest.text}")
        return answer

    def _now_ms(self) -> int:
        return int(self._clock.now() * 1000)


def _check_batch(events: Sequence[Event]) -> None:
    size = sum(len(message) + OVERHEAD_BYTES for _, message in events)
    if size > BATCH_MAX_BYTES:
        raise invalid(f"Upload too large: {size} bytes exceeds limit of {BATCH_MAX_BYTES}")
    times = [when for when, _ in events]
    if times != sorted(times):
        raise invalid("Log events in a single PutLogEvents request must be in chronological order.")


@dataclass(frozen=True, slots=True)
class _Window:
    """Which events of a batch are accepted, and what is said of the others."""

    first: int
    end: int
    rejected: Params

    @classmethod
    def around(cls, events: Sequence[Event], now_ms: int, retention_days: int | None) -> "_Window":
        """Events up to two weeks or the retention old, and up to two hours in the future."""
        kept_ms = OLDEST_MS if retention_days is None else retention_days * DAY_MS
        too_old = sum(when < now_ms - OLDEST_MS for when, _ in events)
        expired = sum(when < now_ms - kept_ms for when, _ in events)
        end = sum(when <= now_ms + NEWEST_MS for when, _ in events)
        rejected: Params = {}
        if too_old:
            rejected["tooOldLogEventEndIndex"] = too_old
        if retention_days is not None and expired:
            rejected["expiredLogEventEndIndex"] = expired
        if end < len(events):
            rejected["tooNewLogEventStartIndex"] = end
        return cls(max(too_old, expired), end, rejected)


def _parse_stream_token(token: str) -> tuple[bool, Cut]:
    if token[:2] not in ("f/", "b/") or not token.endswith("/s"):
        raise bad_token()
    try:
        return token.startswith("b"), Cut.parse(token[2:-2])
    except ValueError:
        raise bad_token() from None


def _edges(
    page: Page, request: ReadRequest, events: Sequence[LogEvent], token: Cut | None
) -> tuple[Cut, Cut]:
    """The points before and after what a page covers; at an end it covers nothing and stays."""
    if not events and page.rest is None:
        stay = token or request.low
        return stay, stay
    before = events[0].cut if events else request.low
    after = events[-1].behind if events else request.high
    if page.rest is not None:
        return (page.rest, after) if request.newest_first else (before, page.rest)
    return before, after


def _filter_request(params: Params) -> ReadRequest:
    if "logStreamNames" in params and "logStreamNamePrefix" in params:
        raise invalid("logStreamNames and logStreamNamePrefix are mutually exclusive parameters.")
    low = Cut.before(params["startTime"]) if "startTime" in params else FIRST
    high = Cut.before(params["endTime"] + 1) if "endTime" in params else LAST
    newest_first = not params.get("startFromHead", True)
    if newest_first and params.get("startTime", NEWEST_FIRST_FROM_MS) < NEWEST_FIRST_FROM_MS:
        raise invalid("startFromHead can be false only from January 1, 2024 on.")
    if "nextToken" in params:
        newest_first, token = _parse_filter_token(params["nextToken"])
        low, high = (low, min(high, token)) if newest_first else (max(low, token), high)
    pattern = params.get("filterPattern", "").strip()
    try:
        matches = compile_filter(pattern) if pattern else None
    except FilterError as error:
        raise invalid(str(error)) from None
    return ReadRequest(
        limit=params.get("limit", EVENTS_MAX),
        low=low,
        high=high,
        newest_first=newest_first,
        streams=tuple(dict.fromkeys(params.get("logStreamNames", ()))),
        prefix=params.get("logStreamNamePrefix", ""),
        matches=matches,
    )


def _parse_filter_token(token: str) -> tuple[bool, Cut]:
    direction, _, cut = from_token(token).partition(" ")
    if direction not in ("up", "down"):
        raise bad_token()
    try:
        return direction == "down", Cut.parse(cut)
    except ValueError:
        raise bad_token() from None


def _shown(event: LogEvent) -> Params:
    return {
        "timestamp": event.timestamp_ms,
        "message": event.message,
        "ingestionTime": event.ingested_ms,
    }
