"""Operations on exports of log groups to buckets."""

import uuid

from emberbox.clock import Clock
from emberbox.errors import CallerError
from emberbox.model.log_export import KEY_MAX_BYTES, PREFIX, Export, ExportState
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.services.logs.exporting import Exporter
from emberbox.services.logs.naming import group_key, invalid, place_of, to_token
from emberbox.storage.logs import LogStore
from emberbox.storage.shelf import ShelfKey

PAGE = 50


class ExportOperations:
    """What CloudWatch Logs does with exports."""

    def __init__(self, store: LogStore, exporter: Exporter, clock: Clock) -> None:
        self._store = store
        self._exporter = exporter
        self._clock = clock
        self._starting: set[tuple[str, str]] = set()

    @property
    def operations(self) -> dict[str, Operation]:
        """Operation name -> what runs it."""
        return {
            "CreateExportTask": self.create_export_task,
            "DescribeExportTasks": self.describe_export_tasks,
            "CancelExportTask": self.cancel_export_task,
        }

    async def create_export_task(self, context: RequestContext, params: Params) -> Params:
        """Begin to copy a group's events of some time to a bucket; one at a time."""
        key = group_key(context, params["logGroupName"])
        group = await self._store.group(key)
        if params["from"] > params["to"]:
            raise invalid("The start of the time range must not be later than its end.")
        if params["to"] < group.created_ms:
            raise invalid("The end of the time range must not be before the log group was created.")
        here = (context.account, context.region)
        if here in self._starting or any(_is_active(each) for each in self._exporter.of(*here)):
            raise CallerError(
                "LimitExceededException",
                "Resource limit exceeded. An account has one active export task at a time.",
                status=400,
            )
        export = Export(
            str(uuid.uuid4()),
            params.get("taskName"),
            key.name,
            params.get("logStreamNamePrefix", ""),
            params["from"],
            params["to"],
            params["destination"],
            params.get("destinationPrefix") or PREFIX,
            int(self._clock.now() * 1000),
        )
        if len(export.key("", 0).encode()) > KEY_MAX_BYTES:
            raise invalid("The destination prefix is too long.")
        self._starting.add(here)
        try:
            await self._exporter.start(key, export)
        finally:
            self._starting.discard(here)
        return {"taskId": export.id}

    async def describe_export_tasks(self, context: RequestContext, params: Params) -> Params:
        """List exports, the newest first, or one of them, or those in one state."""
        found = [
            each
            for each in self._exporter.of(context.account, context.region)
            if params.get("taskId") in (None, each.id)
            and params.get("statusCode") in (None, each.state)
        ]
        start, limit = place_of(params), params.get("limit", PAGE)
        answer: Params = {
            "exportTasks": [each.shown() for each in found[start : start + limit]],
        }
        if start + limit < len(found):
            answer["nextToken"] = to_token(str(start + limit))
        return answer

    async def cancel_export_task(self, context: RequestContext, params: Params) -> Params:
        """End an export that is not over."""
        key = ShelfKey(context.account, context.region, params["taskId"])
        if self._exporter.shelf.get(key) is None:
            raise CallerError(
                "ResourceNotFoundException", "The specified export task does not exist.", status=400
            )
        if not await self._exporter.cancel(key):
            raise CallerError(
                "InvalidOperationException",
                "The specified export task has already finished",
                status=400,
            )
        return {}


def _is_active(export: Export) -> bool:
    return ExportState(export.state).is_active
