"""What is asked of many traces, and read a few at once."""

from datetime import UTC, datetime

import pytest

from conftest import Caller
from emberbox.clock import ManualClock
from emberbox.model.xray.segments import segment_of
from emberbox.services.xray.service import XRayService
from emberbox.storage.traces import TraceStore
from emberbox.telemetry.traces import TraceSink

PLACE = ("123456789012", "us-east-1")
BEGUN = 1_700_000_000.0
TIME = {
    "StartTime": datetime.fromtimestamp(BEGUN - 60, UTC),
    "EndTime": datetime.fromtimestamp(BEGUN + 60, UTC),
}


def trace_id(number):
    return f"1-5759e988-{number:024x}"


@pytest.fixture
async def call(tmp_path):
    """The service, with 263 traces of one segment."""
    store = TraceStore(tmp_path / "traces.db")
    segments = [
        segment_of(
            {
                "id": f"{1:016x}",
                "trace_id": trace_id(number),
                "name": "shop",
                "start_time": BEGUN,
                "end_time": BEGUN + 1,
            }
        )
        for number in range(263)
    ]
    await store.add([(PLACE, each) for each in segments], BEGUN)

    async def may(*_):
        return True

    clock = ManualClock(BEGUN)
    sink = TraceSink(store, may, clock)
    yield Caller(XRayService(store, sink, clock), account=PLACE[0], region=PLACE[1])
    await store.close()


async def test_summaries_come_in_pages_of_which_none_is_missing(call):
    """Each trace once, and no token after the last."""
    first = await call("GetTraceSummaries", **TIME)
    second = await call("GetTraceSummaries", **TIME, NextToken=first["NextToken"])

    pages = [first["TraceSummaries"], second["TraceSummaries"]]
    assert [each["Id"] for page in pages for each in page] == [trace_id(n) for n in range(263)]
    assert [first["TracesProcessedCount"], second["TracesProcessedCount"]] == [250, 13]
    assert "NextToken" not in second


async def test_a_graph_counts_all_traces_of_a_time_or_those_named(call):
    """However many are read at once."""
    whole = await call("GetServiceGraph", **TIME)
    part = await call("GetTraceGraph", TraceIds=[trace_id(n) for n in (1, 2, 2, 999)])

    def count(answer):
        (shop,) = [each for each in answer["Services"] if "SummaryStatistics" in each]
        return shop["SummaryStatistics"]["TotalCount"]

    assert (count(whole), count(part)) == (263, 2)
