"""What the protocols can do but no service here needs today, shown on an invented service."""

import asyncio
from datetime import UTC, datetime

import pytest
from botocore.model import ServiceModel as TheirModel
from botocore.serialize import create_serializer
from gateway_models import received

from emberbox.errors import CallerError
from emberbox.gateway import event_stream
from emberbox.gateway.bindings import write_bindings
from emberbox.gateway.codecs import CODECS
from emberbox.gateway.failures import Failure
from emberbox.gateway.shapes import ServiceModel
from emberbox.gateway.wire import Call, HttpRequest, OutputError

MOMENT = datetime(2024, 1, 1, 0, 0, 0, 123_456, UTC)


def ref(shape, **traits):
    return {"shape": shape, **traits}


def structure(**members):
    return {"type": "structure", "members": members}


def service(protocol, shape, *, payload=None):
    """A service with one operation whose input and output are the same shape."""
    thing = {**shape, "payload": payload} if payload else shape
    return {
        "metadata": {
            "apiVersion": "2024-01-01",
            "endpointPrefix": "invented",
            "protocol": protocol,
            "protocols": [protocol],
            "serviceId": "Invented",
            "targetPrefix": "Invented",
            "jsonVersion": "1.1",
        },
        "operations": {
            "Do": {
                "name": "Do",
                "http": {"method": "POST", "requestUri": "/do"},
                "input": {"shape": "Thing", "locationName": "Thing"},
                "output": {"shape": "Thing", "resultWrapper": "DoResult"},
            }
        },
        "shapes": {
            "Thing": thing,
            "Text": {"type": "string"},
            "Number": {"type": "integer"},
            "Moment": {"type": "timestamp"},
            "Bytes": {"type": "blob"},
            "Inner": structure(Name=ref("Text"), Count=ref("Number")),
            "Inners": {"type": "list", "member": ref("Inner")},
            "Texts": {"type": "list", "member": ref("Text")},
            "Numbers": {"type": "map", "key": ref("Text"), "value": ref("Number")},
            "Flat": {
                "type": "map",
                "flattened": True,
                "key": ref("Text", locationName="K"),
                "value": ref("Inner", locationName="V"),
            },
            "Events": {
                "type": "structure",
                "eventstream": True,
                "members": {"Chunk": ref("Chunk"), "Note": ref("Inner")},
            },
            "Chunk": {
                "type": "structure",
                "event": True,
                "members": {"Data": ref("Bytes", eventpayload=True)},
            },
        },
    }


def sides(protocol, shape, **options):
    raw = service(protocol, shape, **options)
    ours = ServiceModel("invented", raw)
    return Call(ours, ours.operation("Do")), TheirModel(raw, "invented").operation_model("Do")


BODY = structure(
    Map=ref("Numbers"),
    Flat=ref("Flat"),
    Inners=ref("Inners"),
    When=ref("Moment"),
    Unix=ref("Moment", timestampFormat="unixTimestamp"),
    Bytes=ref("Bytes"),
)
BODY_VALUE = {
    "Map": {"a": 1, "b": 2},
    "Flat": {"x": {"Name": "n"}, "y": {"Count": 3}},
    "Inners": [{"Name": "<i>", "Count": 1}],
    "When": MOMENT,
    "Unix": MOMENT,
    "Bytes": b"\x00\x01",
}


@pytest.mark.parametrize("protocol", ["rest-xml", "rest-json", "json", "query"])
def test_maps_lists_and_moments_travel_both_ways(protocol):
    """Wrapped and flattened maps in particular, which S3 has none of."""
    call, theirs = sides(protocol, BODY)

    sent = create_serializer(protocol, include_validation=False).serialize_to_request(
        BODY_VALUE, theirs
    )
    body = sent["body"]
    is_form = isinstance(body, dict)
    query = [(name, str(text)) for name, text in body.items()] if is_form else []
    request = HttpRequest("POST", "/do", query, body=b"" if query else body)
    parsed = CODECS[protocol].parse(call, request)
    response = CODECS[protocol].serialise(call, BODY_VALUE, "id")
    read = received(protocol, theirs.output_shape, response.status, response.headers, response.body)

    read.pop("ResponseMetadata")
    assert parsed == read == BODY_VALUE


@pytest.mark.parametrize("protocol", ["rest-xml", "rest-json"])
@pytest.mark.parametrize(
    ("shape", "value"),
    [("Inner", {"Name": "n", "Count": 1}), ("Text", "plain ü"), ("Bytes", b"\xff")],
)
def test_a_payload_is_the_whole_body(protocol, shape, value):
    """Structures, texts and bytes; nothing at all if it is absent."""
    call, theirs = sides(protocol, structure(It=ref(shape, locationName="It")), payload="It")

    sent = create_serializer(protocol, include_validation=False).serialize_to_request(
        {"It": value}, theirs
    )
    parsed = CODECS[protocol].parse(call, HttpRequest("POST", "/do", body=sent["body"]))
    response = CODECS[protocol].serialise(call, {"It": value}, "id")
    again = CODECS[protocol].parse(call, HttpRequest("POST", "/do", body=response.body))

    assert parsed == again == {"It": value}
    assert CODECS[protocol].serialise(call, {}, "id").body == b""
    assert CODECS[protocol].parse(call, HttpRequest("POST", "/do")) == {}


@pytest.mark.parametrize(
    ("protocol", "code"), [("rest-xml", "MalformedXML"), ("rest-json", "SerializationException")]
)
def test_a_text_payload_must_be_text(protocol, code):
    """Bytes that are not UTF-8 are refused."""
    call, _ = sides(protocol, structure(It=ref("Text")), payload="It")

    with pytest.raises(CallerError) as caught:
        CODECS[protocol].parse(call, HttpRequest("POST", "/do", body=b"\xff"))

    assert caught.value.code == code


def test_a_list_in_a_header_quotes_what_has_commas():
    """So that it can be split again."""
    call, _ = sides("rest-json", structure(L=ref("Texts", location="header", locationName="X-L")))

    response = CODECS["rest-json"].serialise(call, {"L": ["a,b", 'say "c"', "d"]}, "id")
    header = dict(response.headers)["X-L"]
    parsed = CODECS["rest-json"].parse(call, HttpRequest("POST", "/do", headers={"x-l": header}))

    assert header == '"a,b","say \\"c\\"",d'
    assert parsed == {"L": ["a,b", 'say "c"', "d"]}


def test_what_belongs_into_a_request_cannot_stand_in_an_answer():
    """A label or a query parameter has no place there."""
    call, _ = sides("rest-json", structure(Q=ref("Text", location="querystring")))

    with pytest.raises(OutputError, match="Q"):
        write_bindings(call.operation.output, {"Q": "x"})


@pytest.mark.parametrize(
    ("protocol", "output"),
    [
        ("rest-xml", {"Strange": 1}),
        ("rest-xml", {"Map": {1: 1}}),
        ("rest-xml", {"Inners": "x"}),
        ("rest-json", {"Bytes": 5}),
        ("query", {"When": "today"}),
    ],
)
def test_outputs_that_do_not_fit_are_refused(protocol, output):
    """In every protocol."""
    call, _ = sides(protocol, BODY)

    with pytest.raises(OutputError):
        CODECS[protocol].serialise(call, output, "id")


def test_a_payload_of_another_type_is_refused():
    """Bytes or a stream of them, nothing else."""
    call, _ = sides("rest-json", structure(It=ref("Bytes")), payload="It")

    assert CODECS["rest-json"].serialise(call, {"It": "text"}, "id").body == b"text"
    with pytest.raises(OutputError):
        CODECS["rest-json"].serialise(call, {"It": 5}, "id")


@pytest.mark.parametrize(
    "body",
    [
        b"<Thing><Map><entry><key>a</key></entry></Map></Thing>",
        b"<Thing><When>never</When></Thing>",
        b"<Thing><Bytes>!</Bytes></Thing>",
    ],
)
def test_values_that_are_none_make_the_xml_malformed(body):
    """Half an entry, no moment, no base64."""
    call, _ = sides("rest-xml", BODY)

    with pytest.raises(CallerError) as caught:
        CODECS["rest-xml"].parse(call, HttpRequest("POST", "/do", body=body))

    assert caught.value.code == "MalformedXML"


def test_base64_may_have_line_breaks():
    """Some clients fold it."""
    call, _ = sides("rest-xml", BODY)
    body = b"<Thing><Bytes>AA\nAB\n</Bytes></Thing>"

    params = CODECS["rest-xml"].parse(call, HttpRequest("POST", "/do", body=body))

    assert params == {"Bytes": b"\x00\x00\x01"}


def test_half_an_entry_of_a_form_is_malformed():
    """A key without a value."""
    call, _ = sides("query", BODY)

    with pytest.raises(CallerError) as caught:
        CODECS["query"].parse(call, HttpRequest("POST", "/", [("Map.entry.1.key", "a")]))

    assert caught.value.code == "MalformedInput"


def test_xml_errors_carry_the_fields_their_shape_knows():
    """Texts only; structures have no place there."""
    call, _ = sides("query", structure(Name=ref("Text"), Map=ref("Numbers")))
    failure = Failure(
        "E", "E", "m", 400, shape=call.operation.output, fields={"Name": "<n>", "Map": {"a": 1}}
    )

    body = CODECS["query"].serialise_error(None, failure, "id").body

    assert b"<Message>m</Message><Name>&lt;n&gt;</Name></Error>" in body


def test_an_event_without_payload_is_an_empty_message():
    """And an event the stream does not know is our fault."""
    call, _ = sides("rest-json", structure(It=ref("Events")), payload="It")
    shape = call.operation.output.members["It"]

    async def encoded(events):
        stream = event_stream.encode(shape, events, lambda *_: ("application/json", b"{}"))
        return [message async for message in stream]

    (message,) = asyncio.run(encoded([{"Chunk": {}}]))

    assert b"Chunk" in message
    with pytest.raises(OutputError, match="Other"):
        asyncio.run(encoded([{"Other": {}}]))
