"""Our answers, for every operation of every service, as botocore's parsers read them."""

import asyncio
import io
from collections.abc import AsyncIterable

import pytest
from gateway_models import CATALOG, PROTOCOLS, botocore_model, received
from gateway_samples import Sampler

from emberbox.errors import CallerError
from emberbox.gateway.codecs import CODECS
from emberbox.gateway.failures import resolve
from emberbox.gateway.wire import Call

REQUEST_ID = "11111111-2222-4333-8444-555555555555"
UNREADABLE = {
    ("s3", "GetBucketLocation"),  # the root is the value: a client's special case, tested apart
    ("s3", "GetBucketNotification"),  # retired; two of its members share one element name
}


HTTP = {
    "Metadata",
    "StatusCode",
    "Status",
    "contentType",
    "ContentType",
    "ResponseStreamContentType",
}
"""Members that HTTP itself tells even if the operation does not."""


class Streamed:
    """A body as urllib3 gives it to botocore's event stream reader."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self):
        """The body in one piece."""
        yield self._body


async def _whole(body) -> bytes:
    return b"".join([piece async for piece in body])


def _read(protocol: str, shape, response):
    body = response.body
    event_stream = shape is not None and any(
        member.serialization.get("eventstream") for member in shape.members.values()
    )
    payload = shape.serialization.get("payload") if shape is not None else None
    if event_stream:
        assert isinstance(body, AsyncIterable)
        body = Streamed(asyncio.run(_whole(body)))
    elif payload and shape.members[payload].type_name == "blob":
        body = io.BytesIO(body)
    parsed = received(protocol, shape, response.status, response.headers, body)
    parsed.pop("ResponseMetadata", None)
    for name, value in parsed.items():
        if isinstance(value, io.BytesIO):
            parsed[name] = value.read()
        elif event_stream and not isinstance(value, (str, int, list, dict)):
            parsed[name] = list(value)
    return parsed


def _sample(name, shape, protocol, seed):
    sampler = Sampler(f"{name}.{seed}.out", protocol, full=seed < 2)
    output = sampler.structure(shape)
    for member, member_shape in shape.members.items():
        if member_shape.serialization.get("eventstream"):
            events = [
                {event: sampler.structure(event_shape)}
                for event, event_shape in member_shape.members.items()
                if not event_shape.metadata.get("exception")
            ]
            output[member] = events
    return output


@pytest.mark.parametrize(("service", "protocol"), PROTOCOLS)
@pytest.mark.parametrize("seed", range(4))
def test_every_answer_is_read_as_it_was_given(service, protocol, seed):
    """A botocore client reads the very output that the operation gave, and the request id."""
    theirs, ours = botocore_model(service), CATALOG.model(service)
    wrong = []
    for name in theirs.operation_names:
        if (service, name) in UNREADABLE:
            continue
        shape = theirs.operation_model(name).output_shape
        output = _sample(name, shape, protocol, seed) if shape is not None else {}

        response = CODECS[protocol].serialise(Call(ours, ours.operation(name)), output, REQUEST_ID)
        parsed = _read(protocol, shape, response)

        told = {key: value for key, value in parsed.items() if key in output or key not in HTTP}
        if told != output or REQUEST_ID not in dict(response.headers).values():
            wrong.append((name, parsed, output))

    assert wrong == []


@pytest.mark.parametrize(("service", "protocol"), PROTOCOLS)
def test_every_error_is_read_with_its_code_and_message(service, protocol):
    """A botocore client sees the code it has a class for, and the message, of every error shape."""
    theirs, ours = botocore_model(service), CATALOG.model(service)
    wrong = []
    for shape in theirs.error_shapes:
        failure = resolve(ours, CallerError(shape.name, "It is <not> so & that's it."))
        response = CODECS[protocol].serialise_error(ours, failure, REQUEST_ID)

        error = received(protocol, None, response.status, response.headers, response.body)["Error"]

        code = (
            failure.code
            if protocol in {"query", "rest-xml"} or ours.query_compatible
            else shape.name
        )
        seen_class = error.get("QueryErrorCode", error["Code"])
        known = {shape.name, shape.error_code}
        if (error["Code"], error["Message"]) != (code, failure.message) or seen_class not in known:
            wrong.append((shape.name, error))

    assert wrong == []
