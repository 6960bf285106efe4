"""Which invocations are recorded for X-Ray, and what is recorded of them."""

from dataclasses import replace

import pytest

from emberbox.clock import ManualClock
from emberbox.errors import CallerError
from emberbox.invoke.tracing import Tracing
from emberbox.model.invocation import Invocation
from emberbox.model.report import Measurement
from specimens import function_version

ROOT = "1-5759e988-bd862e3fe1be46a994272793"
FUNCTION = function_version("traced")


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def tracing(clock):
    made = Tracing(clock)
    made.kept = []
    made.record = lambda _function, document: made.kept.append(document)
    return made


def test_active_tracing_records_the_first_of_a_second_and_few_others(tracing, clock):
    """One a second, and about five percent of the rest."""
    function = replace(FUNCTION, tracing_mode="Active")
    decisions = [tracing.samples(function) for _ in range(4_000)]
    assert decisions[0]
    assert 100 < sum(decisions) < 320
    clock.advance(1)
    assert tracing.samples(function)
    assert not tracing.samples(FUNCTION)


def test_what_the_caller_has_decided_stands(tracing):
    """Active tracing decides only where the caller has not."""
    active = replace(FUNCTION, tracing_mode="Active")
    for trace in (f"Root={ROOT};Sampled=0", f"Root={ROOT};Sampled=1"):
        assert tracing.decided(active, trace) == trace
    assert tracing.decided(active, f"Root={ROOT}") == f"Root={ROOT};Sampled=1"
    assert tracing.decided(FUNCTION, f"Root={ROOT}") == f"Root={ROOT}"


def test_the_function_sees_its_own_segment_as_the_parent(tracing):
    """What it records belongs there; the lineage goes on with the trace."""
    given = f"Root={ROOT};Parent=00000000000000aa;Sampled=1;Lineage=1:0a:0"
    seen = tracing.begin("r", given)
    fields = dict(part.split("=") for part in seen.split(";"))
    tracing.reported(
        FUNCTION,
        Invocation("r", b"", 3.0, "arn", seen),
        Measurement("r", 100.0, 128, 0, init_ms=50.0, extensions_ms=10.0),
    )
    function, service = tracing.kept
    assert fields == {
        "Root": ROOT,
        "Parent": function["id"],
        "Sampled": "1",
        "Lineage": "1:0a:0",
    }
    assert (function["parent_id"], service["parent_id"]) == (service["id"], "00000000000000aa")
    took = {
        part["name"]: round(1000 * (part["end_time"] - part["start_time"]))
        for part in function["subsegments"]
    }
    assert took == {"Initialization": 50, "Invocation": 90, "Overhead": 10}
    ids = [function["id"], service["id"], *(part["id"] for part in function["subsegments"])]
    assert len(set(ids)) == len(ids)


def test_a_refusal_is_recorded_without_a_function(tracing):
    """A throttle is told apart from a fault."""
    for request_id, status in (("a", 429), ("b", 500)):
        tracing.begin(request_id, f"Root={ROOT};Sampled=1")
        tracing.refused(FUNCTION, request_id, CallerError("X", "no", status=status))
    throttled, failed = tracing.kept
    assert (throttled["throttle"], throttled["http"]["response"]["status"]) == (True, 429)
    assert failed["fault"]
    assert "throttle" not in failed


def test_an_event_of_the_queue_tells_how_long_it_waited(tracing, clock):
    """Dwell time and attempt are parts of the service's segment."""
    accepted = clock.now()
    clock.advance(5)
    seen = tracing.begin("r", f"Root={ROOT};Sampled=1", accepted=accepted, attempt=2)
    tracing.reported(
        FUNCTION, Invocation("r", b"", 3.0, "arn", seen), Measurement("r", 1.0, 128, 0)
    )
    function, service = tracing.kept
    waited, attempt = service["subsegments"]
    assert waited["end_time"] - waited["start_time"] == 5
    assert attempt["name"] == "Attempt #2"
    assert function["parent_id"] == attempt["id"]
