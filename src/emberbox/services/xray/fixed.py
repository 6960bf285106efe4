"""Settings of X-Ray that can only be what they are here, and insights, of which there are none.

Answers are true, and what would have no effect is refused. Source: API reference of X-Ray.
"""

from collections.abc import Mapping
from typing import Final

from emberbox.clock import utc
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.services.xray.grouping import GroupOperations
from emberbox.services.xray.refusing import invalid

_ALL: Final = 100.0
_INDEXING: Final = {
    "Name": "Default",
    "ModifiedAt": utc(0.0),
    "Rule": {
        "Probabilistic": {"DesiredSamplingPercentage": _ALL, "ActualSamplingPercentage": _ALL}
    },
}
_PLAIN: Final = {"Status": "ACTIVE", "Type": "NONE"}
_DESTINATION: Final = {"Destination": "XRay", "Status": "ACTIVE"}


class FixedOperations:
    """See the module."""

    def __init__(self, groups: GroupOperations) -> None:
        self._groups = groups
        self.operations: Mapping[str, Operation] = {
            "GetEncryptionConfig": self.get_encryption_config,
            "PutEncryptionConfig": self.put_encryption_config,
            "GetIndexingRules": self.get_indexing_rules,
            "UpdateIndexingRule": self.update_indexing_rule,
            "GetTraceSegmentDestination": self.get_trace_segment_destination,
            "UpdateTraceSegmentDestination": self.update_trace_segment_destination,
            "GetInsightSummaries": self.get_insight_summaries,
            "GetInsight": self.get_insight,
            "GetInsightEvents": self.get_insight,
            "GetInsightImpactGraph": self.get_insight,
        }

    async def get_encryption_config(self, _context: RequestContext, _params: Params) -> Params:
        """Traces are not encrypted with a key of the customer's."""
        return {"EncryptionConfig": _PLAIN}

    async def put_encryption_config(self, _context: RequestContext, params: Params) -> Params:
        """Nor can they be."""
        if params["Type"] != _PLAIN["Type"] or params.get("KeyId"):
            raise invalid("Emberbox does not encrypt traces with keys of KMS: Type can be NONE.")
        return {"EncryptionConfig": _PLAIN}

    async def get_indexing_rules(self, _context: RequestContext, _params: Params) -> Params:
        """Every trace that is stored can be found by its summary."""
        return {"IndexingRules": [_INDEXING]}

    async def update_indexing_rule(self, _context: RequestContext, params: Params) -> Params:
        """Fewer cannot be wanted."""
        probabilistic = params["Rule"].get("Probabilistic") or {}
        if params["Name"] != _INDEXING["Name"]:
            raise invalid("There is no indexing rule of that name.")
        if probabilistic.get("DesiredSamplingPercentage", _ALL) != _ALL:
            raise invalid("Emberbox indexes all traces: DesiredSamplingPercentage can be 100.")
        return {"IndexingRule": _INDEXING}

    async def get_trace_segment_destination(
        self, _context: RequestContext, _params: Params
    ) -> Params:
        """Segments are kept by this service."""
        return dict(_DESTINATION)

    async def update_trace_segment_destination(
        self, _context: RequestContext, params: Params
    ) -> Params:
        """And not in logs."""
        if params.get("Destination", _DESTINATION["Destination"]) != _DESTINATION["Destination"]:
            raise invalid("Emberbox keeps segments in X-Ray alone: Destination can be XRay.")
        return dict(_DESTINATION)

    async def get_insight_summaries(self, context: RequestContext, params: Params) -> Params:
        """No group has insights switched on, so none has any."""
        await self._groups.named(context, params)
        return {"InsightSummaries": []}

    async def get_insight(self, _context: RequestContext, _params: Params) -> Params:
        """There is none to be asked for."""
        raise invalid("There is no insight of that id.")
