"""Response streaming of Node.js functions: pieces, prelude, content type, and ends of all kinds."""

import json
import urllib.error
import urllib.request

import pytest
from languages import NODEJS

pytestmark = pytest.mark.skipif(bool(NODEJS.lacks()), reason=NODEJS.lacks())
SOURCE = """
const { pipeline } = require('stream/promises');
const { Readable } = require('stream');
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const acts = {
  pieces: async (event, stream) => {
    for (let n = 0; n < event.count; n++) stream.write(`${n},`);
    stream.end();
  },
  piped: async (event, stream) => {
    await pipeline(Readable.from(['a', Buffer.from('b'), 'c']), stream);
  },
  large: async (event, stream) => {
    const block = Buffer.alloc(1 << 20, 'x');
    for (let n = 0; n < event.mb; n++) {
      if (!stream.write(block)) await new Promise((resolve) => stream.once('drain', resolve));
    }
    stream.end();
  },
  prelude: async (event, stream) => {
    stream = awslambda.HttpResponseStream.from(stream, { statusCode: 201, headers: { a: 'b' } });
    stream.write('body');
    stream.end();
  },
  value: async (event, stream) => {
    stream.write({ an: 'object' });
    stream.end();
  },
  empty: async (event, stream) => stream.end(),
  slow: async (event, stream) => {
    stream.write('first');
    await pause(30000);
  },
  first: async () => {
    throw new TypeError('before the first byte');
  },
  promised: async (event, stream) => {
    awslambda.HttpResponseStream.from(stream, { statusCode: 201 });
    throw new TypeError('before the first byte');
  },
  midway: async (event, stream) => {
    stream.write('so far');
    await pause(10);
    throw new TypeError('in the middle');
  },
  unfinished: async (event, stream) => {
    stream.write('so far');
  },
  late: async (event, stream) => {
    stream.write('x');
    stream.setContentType('text/plain');
  },
};

exports.handler = awslambda.streamifyResponse((event, stream, context) =>
  acts[event.act ?? event.queryStringParameters.act](event, stream, context),
);
exports.whole = async (event) => event;
"""


@pytest.fixture
def stream(boto, functions):
    """Invokes with a stream: the joined chunks, and the event that ends it."""

    def run(act, handler="f.handler", **event):
        name = functions(("stream", handler), "nodejs22.x", handler, {"f.js": SOURCE}, Timeout=10)
        answer = boto.client("lambda").invoke_with_response_stream(
            FunctionName=name, Payload=json.dumps({"act": act, **event})
        )
        *chunks, last = answer["EventStream"]
        body = b"".join(chunk["PayloadChunk"]["Payload"] for chunk in chunks)
        return body, last["InvokeComplete"]

    return run


@pytest.mark.parametrize(
    ("act", "body"),
    [
        ("pieces", b"0,1,2,"),
        ("piped", b"abc"),
        ("prelude", b'{"statusCode":201,"headers":{"a":"b"}}' + bytes(8) + b"body"),
        ("value", b'{"an":"object"}'),
        ("empty", b""),
    ],
)
def test_what_is_written_arrives(stream, act, body):
    """Texts, buffers, pipelines, values, and the prelude of an HTTP answer."""
    for _ in range(2):
        assert stream(act, count=3) == (body, {})


def test_more_than_a_whole_response_may_have_arrives(stream):
    """Twenty megabytes, with back pressure between the handler and the caller."""
    body, complete = stream("large", mb=20)

    assert (len(body), set(body), complete) == (20 << 20, {ord("x")}, {})


@pytest.mark.parametrize(
    ("act", "body", "error_type", "message"),
    [
        ("first", b"", "TypeError", "before the first byte"),
        ("midway", b"so far", "TypeError", "in the middle"),
        ("unfinished", b"so far", "string", "Response stream is not finished."),
        (
            "late",
            b"x",
            "Runtime.InvalidStreamingOperation",
            "Cannot set content-type, too late.",
        ),
    ],
)
def test_a_failure_ends_the_stream(stream, act, body, error_type, message):
    """What was written arrives, then the error; the next invocation works."""
    arrived, complete = stream(act)

    assert arrived == body
    assert complete["ErrorCode"] == error_type
    assert json.loads(complete["ErrorDetails"])["errorMessage"] == message
    assert stream("pieces", count=1) == (b"0,", {})


def test_a_streaming_handler_may_be_invoked_for_the_whole(boto, stream, functions):
    """The stream is collected; and a handler that does not stream can be asked for one."""
    stream("empty")
    name = functions(("stream", "f.handler"), "", "", {})

    assert boto.invoke(name, b'{"act": "pieces", "count": 3}').payload == b"0,1,2,"
    assert stream("whole", handler="f.whole")[0] == b'{"act":"whole"}'


@pytest.mark.parametrize("act", ["first", "promised"])
def test_a_failure_before_the_first_byte_is_an_error_of_the_url(boto, functions, act):
    """502, though a prelude was named: nothing of it has gone out."""
    name = functions(("url", act), "nodejs22.x", "f.handler", {"f.js": SOURCE}, Timeout=10)
    url = boto.call(
        "lambda",
        "CreateFunctionUrlConfig",
        FunctionName=name,
        AuthType="NONE",
        InvokeMode="RESPONSE_STREAM",
    )["FunctionUrl"]

    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{url}?act={act}", timeout=30)

    with refused.value as answer:
        assert (answer.code, answer.read()) == (502, b"Internal Server Error")
