"""Operations of CloudWatch Logs Insights."""

from emberbox.clock import Clock
from emberbox.errors import CallerError
from emberbox.model.insights.query import parse_query
from emberbox.model.insights.records import discovered, record
from emberbox.model.insights.stages import ROWS_MAX
from emberbox.model.insights.values import QueryError, shown
from emberbox.model.log_events import Cut
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.services.logs.naming import (
    from_token,
    group_identified,
    group_key,
    invalid,
    place_of,
    to_token,
)
from emberbox.services.logs.querying import WAITING_MAX, Job, Querying, pointer
from emberbox.storage.log_reading import ReadRequest
from emberbox.storage.log_records import GroupKey
from emberbox.storage.logs import LogStore

GROUPS_MAX = 50
PAGE = 1_000
_MILLISECONDS_FROM = 100_000_000_000
_LANGUAGE = "CWLI"


class QueryOperations:
    """What CloudWatch Logs does with queries."""

    def __init__(self, store: LogStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self.querying = Querying(store, clock)

    @property
    def operations(self) -> dict[str, Operation]:
        """Operation name -> what runs it."""
        return {
            "StartQuery": self.start_query,
            "GetQueryResults": self.get_query_results,
            "StopQuery": self.stop_query,
            "DescribeQueries": self.describe_queries,
            "GetLogRecord": self.get_log_record,
        }

    async def start_query(self, context: RequestContext, params: Params) -> Params:
        """Begin a query over one or more groups."""
        if params.get("queryLanguage", _LANGUAGE) != _LANGUAGE:
            raise invalid("Emberbox carries out queries in the language CWLI only.")
        groups = _groups(context, params)
        for group in groups:
            await self._store.group(group)
        limit = params.get("limit", ROWS_MAX)
        if limit > ROWS_MAX:
            raise invalid(f"Emberbox gives at most {ROWS_MAX} results: limit is too large.")
        now = self._clock.now()
        try:
            query = parse_query(
                params["queryString"], limit, int(now * 1000), is_in_order=len(groups) == 1
            )
        except QueryError as error:
            raise CallerError("MalformedQueryException", str(error), status=400) from None
        if self.querying.waiting >= WAITING_MAX:
            raise CallerError("LimitExceededException", "Too many queries run at once.", status=400)
        start_ms, end_ms = _ms(params["startTime"], 0), _ms(params["endTime"], 999)
        if start_ms > end_ms:
            raise invalid("End time should not be less than start time")
        job = Job(
            context.account,
            context.region,
            groups,
            params["queryString"],
            start_ms,
            end_ms,
            now,
            query,
        )
        self.querying.start(job)
        return {"queryId": job.id}

    def _job(self, context: RequestContext, params: Params) -> Job:
        job = self.querying.job(params["queryId"])
        if job is None or (job.account, job.region) != (context.account, context.region):
            raise CallerError("ResourceNotFoundException", "Query does not exist.", status=400)
        return job

    async def get_query_results(self, context: RequestContext, params: Params) -> Params:
        """The status of a query, and its results once it is complete."""
        job = self._job(context, params)
        start = place_of(params)
        count = params.get("maxItems") or ROWS_MAX
        answer: Params = {
            "queryLanguage": _LANGUAGE,
            "status": job.status,
            "results": [
                [{"field": name, "value": value} for name, value in result]
                for result in job.results[start : start + count]
            ],
            "statistics": {
                "recordsMatched": float(job.matched),
                "recordsScanned": float(job.scanned),
                "bytesScanned": float(job.scanned_bytes),
                "estimatedRecordsSkipped": 0.0,
                "estimatedBytesSkipped": 0.0,
                "logGroupsScanned": float(job.groups_scanned),
                "resultCount": float(len(job.results)),
            },
        }
        if start + count < len(job.results):
            answer["nextToken"] = to_token(str(start + count))
        return answer

    async def stop_query(self, context: RequestContext, params: Params) -> Params:
        """End a query that has not ended."""
        job = self._job(context, params)
        if not self.querying.stop(job):
            raise invalid(f"Query {job.id} is not in progress: it is {job.status}.")
        return {"success": True}

    async def describe_queries(self, context: RequestContext, params: Params) -> Params:
        """List the queries that are remembered, the newest first."""
        here, group = (context.account, context.region), params.get("logGroupName")
        found = [
            job
            for job in self.querying.jobs()
            if (job.account, job.region) == here
            and params.get("status") in (None, job.status)
            and params.get("queryLanguage") in (None, _LANGUAGE)
            and (group is None or any(each.name == group for each in job.groups))
        ]
        start, count = place_of(params), params.get("maxResults", PAGE)
        answer: Params = {"queries": [_shown(job) for job in found[start : start + count]]}
        if start + count < len(found):
            answer["nextToken"] = to_token(str(start + count))
        return answer

    async def get_log_record(self, context: RequestContext, params: Params) -> Params:
        """All fields of one event, by the @ptr of a result."""
        try:
            place, group, stream = from_token(params["logRecordPointer"]).split("\n")
            cut = Cut.parse(place)
        except ValueError:
            raise invalid("The specified logRecordPointer is invalid.") from None
        key = group_key(context, group)
        request = ReadRequest(
            1, low=cut, high=cut._replace(ordinal=cut.ordinal + 1), streams=(stream,)
        )
        page = await self._store.read(key, request, int(self._clock.now() * 1000))
        if not page.events:
            raise CallerError("ResourceNotFoundException", "The event is gone.", status=400)
        event = page.events[0]
        fields = discovered(event.message) | record(
            event.message,
            event.timestamp_ms,
            event.ingested_ms,
            stream,
            f"{key.account}:{key.name}",
            pointer(key, event),
        )
        return {"logRecord": {name: shown(value) for name, value in fields.items()}}


def _groups(context: RequestContext, params: Params) -> list[GroupKey]:
    given = [
        name
        for name in ("logGroupName", "logGroupNames", "logGroupIdentifiers")
        if params.get(name)
    ]
    if len(given) != 1:
        raise invalid(
            "Exactly one of logGroupName, logGroupNames and logGroupIdentifiers must be given."
        )
    value = params[given[0]]
    names = [value] if isinstance(value, str) else value
    if len(names) > GROUPS_MAX:
        raise invalid(f"A query looks at no more than {GROUPS_MAX} log groups.")
    return list(dict.fromkeys(group_identified(context, name) for name in names))


def _ms(given: int, rest: int) -> int:
    """Seconds since the epoch, or milliseconds, which can be told by their size."""
    return given if given >= _MILLISECONDS_FROM else given * 1000 + rest


def _shown(job: Job) -> Params:
    return {
        "queryLanguage": _LANGUAGE,
        "queryId": job.id,
        "queryString": job.text,
        "status": job.status,
        "createTime": int(job.created_s * 1000),
        "logGroupName": job.groups[0].name,
        "queryDuration": int(job.seconds * 1000),
        "bytesScanned": float(job.scanned_bytes),
    }
