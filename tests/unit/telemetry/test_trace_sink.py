"""Segments on their way to disk: bounded, only with the role's leave, and stored for good."""

import asyncio
import json
import socket
from dataclasses import replace

import pytest

from emberbox.clock import ManualClock
from emberbox.environment.daemon_port import DaemonPort
from emberbox.model.xray.segments import read_segment
from emberbox.storage.traces import TraceStore
from emberbox.telemetry.traces import TraceSink
from specimens import function_version

ROOT = "1-5759e988-bd862e3fe1be46a994272793"
HEAD = b'{"format": "json", "version": 1}\n'
FUNCTION = function_version("traced")


def a_segment(number, **more):
    return read_segment(
        json.dumps(
            {
                "id": f"{number:016x}",
                "trace_id": ROOT,
                "name": "s",
                "start_time": 1_700_000_000,
                "end_time": 1_700_000_001,
                **more,
            }
        )
    )


@pytest.fixture
async def store(tmp_path):
    made = TraceStore(tmp_path / "traces.db")
    yield made
    await made.close()


async def test_no_file_is_opened_before_there_is_a_trace(store, tmp_path):
    """A server that nobody traces on has none."""
    assert not list(tmp_path.iterdir())


async def test_a_role_without_the_right_has_nothing_kept(store):
    """Each function's role is asked."""
    asked = []

    async def may(role, action, resource):
        asked.append((role, action, resource))
        return False

    sink = TraceSink(store, may, ManualClock())
    sink.add(FUNCTION, a_segment(1))
    sink.add(FUNCTION, a_segment(2))
    await sink.close()
    assert asked == [(FUNCTION.role, "xray:PutTraceSegments", "*")]
    assert await store.trace((FUNCTION.account, FUNCTION.region), ROOT) is None


async def test_a_finished_segment_is_not_replaced_by_one_that_still_runs(store):
    """Datagrams come in any order."""
    place = ("123456789012", "us-east-1")
    done, running = a_segment(1), a_segment(1, end_time=None, in_progress=True)
    await store.add([(place, running)], 1.0)
    await store.add([(place, done)], 2.0)
    await store.add([(place, running)], 3.0)
    found = await store.trace(place, ROOT)
    assert found.documents == [done.document]


async def test_a_trace_is_bounded_and_says_so(store):
    """What is more than a trace may hold is left out."""
    place = ("123456789012", "us-east-1")
    fat = [(place, a_segment(n, metadata={"x": "y" * 60_000})) for n in range(1, 12)]
    await store.add(fat, 1.0)
    found = await store.trace(place, ROOT)
    assert found.is_cut
    assert len(found.documents) == 8


async def test_all_traces_together_are_bounded(store):
    """The oldest go."""
    place = ("123456789012", "us-east-1")
    await store.add([(place, a_segment(1))], 1.0)
    await store.forget(0.0, keep_bytes=10)
    assert await store.trace(place, ROOT) is None


async def test_the_newest_are_kept(store):
    """As many as there is room for."""
    place = ("123456789012", "us-east-1")
    ids = [f"1-5759e988-{n:024x}" for n in range(8)]
    for number, trace_id in enumerate(ids):
        await store.add([(place, a_segment(1, trace_id=trace_id))], float(number))
    size = len(a_segment(1, trace_id=ids[0]).document)

    await store.forget(0.0, keep_bytes=3 * size)

    assert [trace_id for trace_id in ids if await store.trace(place, trace_id)] == ids[-3:]


async def test_who_gives_up_waiting_takes_nothing_away(store):
    """A reader that is cancelled while a role is asked for."""
    asked = asyncio.Event()

    async def may(*_):
        if asked.is_set():
            return True
        asked.set()
        return await asyncio.Future()

    sink = TraceSink(store, may, ManualClock())
    sink.add(FUNCTION, a_segment(1))
    reader = asyncio.ensure_future(sink.flush())
    await asked.wait()
    reader.cancel()
    await asyncio.gather(reader, return_exceptions=True)
    await sink.close()

    assert await store.trace((FUNCTION.account, FUNCTION.region), ROOT)


async def test_a_role_that_nobody_can_judge_keeps_no_other_back(store):
    """Its own segments are lost."""
    other = replace(FUNCTION, role="arn:aws:iam::123456789012:role/other")

    async def may(role, *_):
        if role == other.role:
            raise RuntimeError("a fault of ours")
        return True

    sink = TraceSink(store, may, ManualClock())
    sink.add(other, a_segment(2))
    sink.add(FUNCTION, a_segment(1))
    await sink.flush()
    await sink.close()

    found = await store.trace((FUNCTION.account, FUNCTION.region), ROOT)
    assert found.documents == [a_segment(1).document]


async def test_a_port_takes_segments_and_shrugs_at_the_rest():
    """Also what comes just before the end of the sandbox is read."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.setblocking(False)
    heard = []
    port = DaemonPort(ours, heard.append)
    for data in (b"", b"nonsense", HEAD + a_segment(1).document.encode(), HEAD + b"{}"):
        theirs.send(data)
    port.close()
    ours.close()
    theirs.close()
    assert [each.id for each in heard] == [f"{1:016x}"]
