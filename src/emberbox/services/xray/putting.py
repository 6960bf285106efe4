"""Segments that come by the API: from the X-Ray daemon, and from whoever needs none.

Source: API reference of X-Ray, operations PutTraceSegments and PutTelemetryRecords.
"""

import logging
from collections.abc import Mapping

from emberbox.clock import Clock
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.model.xray.segments import BadSegmentError, read_segment
from emberbox.services.xray.refusing import invalid
from emberbox.storage.traces import TraceStore

log = logging.getLogger("emberbox.traces")

_DOCUMENTS_MAX = 50


class PuttingOperations:
    """See the module. What an answer has not named as unprocessed has been committed."""

    def __init__(self, store: TraceStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self.operations: Mapping[str, Operation] = {
            "PutTraceSegments": self.put_trace_segments,
            "PutTelemetryRecords": self.put_telemetry_records,
        }

    async def put_trace_segments(self, context: RequestContext, params: Params) -> Params:
        """Keep segments; those that are none are named in the answer."""
        documents = params["TraceSegmentDocuments"]
        if len(documents) > _DOCUMENTS_MAX:
            raise invalid(f"At most {_DOCUMENTS_MAX} segment documents may be sent at once.")
        kept, bad = [], []
        for document in documents:
            try:
                kept.append(((context.account, context.region), read_segment(document)))
            except BadSegmentError as error:
                bad.append({"Id": error.segment_id, "ErrorCode": error.code, "Message": str(error)})
        if kept:
            await self._store.add(kept, self._clock.now())
        return {"UnprocessedTraceSegments": bad}

    async def put_telemetry_records(self, _context: RequestContext, params: Params) -> Params:
        """What a daemon tells of itself goes to the server's log: AWS shows it to nobody either."""
        for record in params["TelemetryRecords"]:
            log.debug("X-Ray daemon %s: %s", params.get("Hostname", ""), record)
        return {}
