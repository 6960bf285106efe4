"""What a function says of its failure, whatever its language."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emberbox.model.function_errors import Frame, FunctionError, read_error


def document(*lines, **more):
    told = {"errorType": "Odd", "errorMessage": "it is odd", "stackTrace": list(lines)}
    return json.dumps(told | more).encode()


@pytest.mark.parametrize(
    ("line", "frame"),
    [
        (
            '  File "/var/task/app.py", line 12, in handler\n    1 / 0\n',
            Frame("/var/task/app.py", 12, "handler"),
        ),
        (
            "    at Runtime.handler (/var/task/index.js:3:9)",
            Frame("/var/task/index.js", 3, "Runtime.handler"),
        ),
        ("    at file:///var/task/index.mjs:7:11", Frame("file:///var/task/index.mjs", 7, "")),
        (
            "example.Handler.handleRequest(Handler.java:15)",
            Frame("Handler.java", 15, "example.Handler.handleRequest"),
        ),
        ("/var/task/app.rb:4:in 'handler'", Frame("/var/task/app.rb", 4, "handler")),
    ],
)
def test_a_frame_is_read_in_the_form_of_its_language(line, frame):
    """Its path, its line and the name of what runs there; other lines are left out."""
    found = read_error(document("Odd: it is odd", line))
    assert found == FunctionError("Odd", "it is odd", (frame,))


def test_node_calls_its_trace_trace():
    """The member has another name there."""
    told = document(stackTrace=None, trace=["Error: x", "    at f (/var/task/a.js:1:2)"])
    assert read_error(told).frames == (Frame("/var/task/a.js", 1, "f"),)


@pytest.mark.parametrize(
    "told", [b"", b"{", b"[]", b"3", b'"x"', b"[" * 100_000, document("x" * 70_000)]
)
def test_what_is_no_error_or_too_long_says_nothing(told):
    """It is the customer's, and may be anything."""
    assert read_error(told) == FunctionError()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda each: st.lists(each, max_size=4),
    max_leaves=8,
)


@given(json_values, json_values, json_values)
def test_any_document_is_read(kind, message, trace):
    """Members of other types count for nothing."""
    told = json.dumps({"errorType": kind, "errorMessage": message, "stackTrace": trace})
    found = read_error(told.encode())
    assert found.type == (kind[:1_024] if isinstance(kind, str) else "")
    assert found.message == (message[:1_024] if isinstance(message, str) else "")


def test_frames_and_texts_are_bounded():
    """A trace of fifty places is enough for anybody."""
    lines = ['  File "/var/task/app.py", line 1, in f'] * 500
    found = read_error(document(*lines, errorMessage="m" * 2_000))
    assert (len(found.frames), len(found.message)) == (50, 1_024)
