"""Operations on log streams: creation, deletion, listing."""

from emberbox.clock import Clock
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.services.logs.naming import (
    bad_token,
    from_token,
    group_arn,
    group_key,
    group_of,
    invalid,
    to_token,
)
from emberbox.storage.log_records import GroupKey, StoredStream, StreamQuery
from emberbox.storage.logs import LogStore

PAGE = 50


class StreamOperations:
    """What CloudWatch Logs does with streams."""

    def __init__(self, store: LogStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @property
    def operations(self) -> dict[str, Operation]:
        """Operation name -> what runs it."""
        return {
            "CreateLogStream": self.create_log_stream,
            "DeleteLogStream": self.delete_log_stream,
            "DescribeLogStreams": self.describe_log_streams,
        }

    async def create_log_stream(self, context: RequestContext, params: Params) -> Params:
        """Add a stream to a group."""
        await self._store.create_stream(
            group_key(context, params["logGroupName"]),
            params["logStreamName"],
            int(self._clock.now() * 1000),
        )
        return {}

    async def delete_log_stream(self, context: RequestContext, params: Params) -> Params:
        """Remove a stream with all that is in it."""
        await self._store.delete_stream(
            group_key(context, params["logGroupName"]), params["logStreamName"]
        )
        return {}

    async def describe_log_streams(self, context: RequestContext, params: Params) -> Params:
        """List the streams of a group, by name or by the time of their last event."""
        key = group_of(context, params)
        by_time = params.get("orderBy") == "LastEventTime"
        if by_time and "logStreamNamePrefix" in params:
            raise invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
        limit = params.get("limit", PAGE)
        order = f"{'time' if by_time else 'name'} {'down' if params.get('descending') else 'up'}"
        query = StreamQuery(
            limit=limit + 1,
            prefix=params.get("logStreamNamePrefix", ""),
            by_time=by_time,
            descending=params.get("descending", False),
            after=_after(params["nextToken"], order) if "nextToken" in params else None,
        )
        found = await self._store.streams(key, query)
        answer: Params = {"logStreams": [_shown(key, stream) for stream in found[:limit]]}
        if len(found) > limit:
            last = found[limit - 1]
            answer["nextToken"] = to_token(f"{order} {last.last_event_ms or 0} {last.name}")
        return answer


def _after(token: str, order: str) -> tuple[int, str]:
    """The stream behind which a page begins; a token is good for the order it was made in."""
    text = from_token(token)
    when, blank, name = text.removeprefix(f"{order} ").partition(" ")
    if not text.startswith(f"{order} ") or not when.isdecimal() or not blank or len(when) > 18:
        raise bad_token()
    return int(when), name


def _shown(key: GroupKey, stream: StoredStream) -> Params:
    shown: Params = {
        "logStreamName": stream.name,
        "creationTime": stream.created_ms,
        "arn": f"{group_arn(key)}:log-stream:{stream.name}",
        "storedBytes": 0,
    }
    if stream.last_event_ms is not None and stream.last_ingested_ms is not None:
        shown["firstEventTimestamp"] = stream.first_event_ms
        shown["lastEventTimestamp"] = stream.last_event_ms
        shown["lastIngestionTime"] = stream.last_ingested_ms
        shown["uploadSequenceToken"] = sequence_token(stream.last_ingested_ms)
    return shown


def sequence_token(ingested_ms: int) -> str:
    """What older clients want to see and send back; nothing depends on it."""
    return f"49{ingested_ms:054d}"
