"""Responses that a function streams arrive piece by piece, in order, and end as they should."""

import base64
import http.client
import json
import os
import threading
from pathlib import Path
from urllib.parse import urlsplit

import botocore.exceptions
import pytest
from botocore.eventstream import EventStreamBuffer
from material import ROLE, make_zip

HANDLERS = """
    import os, time

    def lambda_handler(event, context):
        return globals()[event["op"]](event)

    def pieces(event):
        for n in range(event["count"]):
            print("piece", n)
            yield b"%d," % n

    def large(event):
        block = b"x" * 65536
        for n in range(event["mb"] * 16):
            yield block

    def head_first(event):
        yield {"statusCode": 201, "headers": {"x-own": "1"}}
        yield "body"

    def fails_first(event):
        raise ValueError("before the first byte")
        yield b""

    def fails_midway(event):
        yield b"so far"
        raise ValueError("in the middle")

    def exits_midway(event):
        yield b"so far"
        os._exit(3)

    def too_slow(event):
        yield b"so far"
        time.sleep(30)

    def no_bytes(event):
        yield 5

    def whole(event):
        return {"whole": True}

    def raises(event):
        raise KeyError("k")
"""


@pytest.fixture(scope="module")
def function(module_function):
    """The handlers above with three seconds of time."""
    return module_function(HANDLERS, Timeout=3, MemorySize=1769)


@pytest.fixture(scope="module")
def module_function(boto):
    """Functions that live as long as the tests of this file."""
    made = []

    def make(source, **configuration):
        name = f"stream-{os.getpid()}-{len(made)}"
        boto.call(
            "lambda",
            "CreateFunction",
            FunctionName=name,
            Runtime="python3.12",
            Role=ROLE,
            Handler="lambda_function.lambda_handler",
            Code={"ZipFile": make_zip(lambda_function=source)},
            **configuration,
        )
        made.append(name)
        boto.wait("lambda", "FunctionActiveV2", FunctionName=name)
        return name

    yield make
    for name in made:
        boto.call("lambda", "DeleteFunction", FunctionName=name)


def stream(boto, function, event, **options):
    """The chunks, and the event that ends the stream."""
    answer = boto.client("lambda").invoke_with_response_stream(
        FunctionName=function, Payload=json.dumps(event), **options
    )
    assert answer["StatusCode"] == 200
    assert answer["ExecutedVersion"] == "$LATEST"
    chunks, complete = [], None
    for told in answer["EventStream"]:
        assert complete is None, "nothing comes after InvokeComplete"
        if "PayloadChunk" in told:
            chunks.append(told["PayloadChunk"]["Payload"])
        else:
            complete = told["InvokeComplete"]
    assert complete is not None, "a stream ends with InvokeComplete"
    return chunks, complete


def test_pieces_arrive_in_order_and_the_log_at_the_end(boto, function):
    """A generator's items are the response; LogType Tail comes with InvokeComplete."""
    chunks, complete = stream(boto, function, {"op": "pieces", "count": 5}, LogType="Tail")

    assert b"".join(chunks) == b"0,1,2,3,4,"
    assert set(complete) == {"LogResult"}
    log = base64.b64decode(complete["LogResult"]).decode()
    assert "piece 0\npiece 1\n" in log
    assert "REPORT RequestId" in log


def test_a_piece_arrives_before_the_next_is_made(boto, function):
    """The caller has the first piece while the handler has not come to its second."""
    answer = boto.client("lambda").invoke_with_response_stream(
        FunctionName=function, Payload=json.dumps({"op": "too_slow"})
    )
    events = iter(answer["EventStream"])

    first = next(events)

    assert first == {"PayloadChunk": {"Payload": b"so far"}}
    rest = list(events)
    assert rest[-1]["InvokeComplete"]["ErrorCode"] == "Sandbox.Timedout"


def test_a_whole_response_is_one_piece(boto, function):
    """A function that does not stream can be called so too."""
    chunks, complete = stream(boto, function, {"op": "whole"})

    assert chunks == [b'{"whole": true}']
    assert complete == {}


def test_a_stream_is_collected_for_invoke(boto, function):
    """Invoke gives the whole of what the function streams."""
    done = boto.invoke(function, json.dumps({"op": "pieces", "count": 3}).encode())

    assert done.payload == b"0,1,2,"
    assert done.error is None


def test_a_first_item_can_be_the_head_of_an_http_response(boto, function):
    """The prelude is JSON and eight zero bytes, as AWS's HTTP integrations read it."""
    chunks, _ = stream(boto, function, {"op": "head_first"})

    head, body = b"".join(chunks).split(bytes(8))
    assert json.loads(head) == {"statusCode": 201, "headers": {"x-own": "1"}}
    assert body == b"body"


@pytest.mark.parametrize(
    ("op", "so_far", "code", "text"),
    [
        ("raises", [], "KeyError", "k"),
        ("fails_first", [], "ValueError", "before the first byte"),
        ("no_bytes", [], "Runtime.MarshalError", "bytes or str, not int"),
        ("fails_midway", [b"so far"], "ValueError", "in the middle"),
        ("exits_midway", [b"so far"], "Runtime.ExitError", "exit status 3"),
        ("too_slow", [b"so far"], "Sandbox.Timedout", "timed out after 3.00 seconds"),
    ],
)
def test_a_failure_ends_the_stream_with_its_reason(boto, function, op, so_far, code, text):
    """What was written before has arrived; InvokeComplete names the error."""
    chunks, complete = stream(boto, function, {"op": op})

    assert chunks == so_far
    assert complete["ErrorCode"] == code
    assert text in json.loads(complete["ErrorDetails"])["errorMessage"]


def test_a_stream_may_be_larger_than_a_response(boto, function):
    """20 MB pass through; Invoke refuses the same as too large."""
    chunks, complete = stream(boto, function, {"op": "large", "mb": 20})
    done = boto.invoke(function, json.dumps({"op": "large", "mb": 20}).encode())

    assert sum(map(len, chunks)) == 20 << 20
    assert complete == {}
    assert json.loads(done.payload)["errorType"] == "Function.ResponseSizeTooLarge"


def test_a_stream_over_200_mb_is_cut(boto, module_function):
    """200 MB arrive, then the error; the environment serves on."""
    name = module_function(HANDLERS, Timeout=60, MemorySize=1769)

    chunks, complete = stream(boto, name, {"op": "large", "mb": 201})
    _, after = stream(boto, name, {"op": "whole"})

    assert sum(map(len, chunks)) <= 200 << 20
    assert complete["ErrorCode"] == "Function.ResponseSizeTooLarge"
    assert after == {}


def raw_stream(server, function, event):
    """A connection that has asked and read the head of the answer only."""
    where = urlsplit(server.url)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=60)
    path = f"/2021-11-15/functions/{function}/response-streaming-invocations"
    connection.request("POST", path, json.dumps(event))
    return connection, connection.getresponse()


def test_a_client_that_does_not_read_makes_the_function_wait(boto, server, module_function):
    """The function times out in its writes: nothing piles up in the server."""
    name = module_function(HANDLERS, Timeout=2, MemorySize=1769)
    before = _resident_mb(server.pid)

    connection, response = raw_stream(server, name, {"op": "large", "mb": 150})
    again = threading.Event()
    again.wait(3)  # longer than the time limit: the function cannot have written all by then
    grown = _resident_mb(server.pid) - before
    body = response.read()
    connection.close()

    buffer = EventStreamBuffer()
    buffer.add_data(body)
    last = list(buffer)[-1]
    assert json.loads(last.payload)["ErrorCode"] == "Sandbox.Timedout"
    assert grown < 60


def test_a_client_that_leaves_stops_nothing(boto, server, function):
    """The function runs to its end, and the environment serves the next caller."""
    connection, response = raw_stream(server, function, {"op": "large", "mb": 20})
    response.read(1000)
    connection.close()

    _, complete = stream(boto, function, {"op": "whole"})

    assert complete == {}


def test_an_event_cannot_be_streamed(boto, function):
    """The kinds of invocation that can be are named, and no other."""
    with pytest.raises(botocore.exceptions.ClientError) as told:
        boto.client("lambda").invoke_with_response_stream(
            FunctionName=function, InvocationType="Event"
        )

    error = told.value.response["Error"]
    assert error["Code"] == "ValidationException"
    assert error["Message"].endswith("enum value set: [RequestResponse, DryRun]")


@pytest.mark.parametrize("function_name", ["nobody", "no/such"])
def test_errors_of_the_service_are_ordinary_ones(boto, function_name):
    """What is refused before the function runs has a status of its own."""
    with pytest.raises(botocore.exceptions.ClientError) as told:
        boto.client("lambda").invoke_with_response_stream(FunctionName=function_name)

    assert told.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 404)


def _resident_mb(pid):
    pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)
