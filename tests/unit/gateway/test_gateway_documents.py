"""XML and CBOR, hostile and otherwise."""

import pytest
from gateway_models import CATALOG
from gateway_samples import untimed
from hypothesis import given
from hypothesis import strategies as st

from emberbox.errors import CallerError
from emberbox.gateway import cbor
from emberbox.gateway.codecs import CODECS
from emberbox.gateway.wire import Call, HttpRequest, MalformedError, OutputError
from emberbox.gateway.xml_reader import read_xml
from emberbox.gateway.xml_values import encode

BOMB = b'<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;">]><lolz>&lol2;</lolz>'


def test_elements_come_with_text_attributes_and_children():
    """Prefixes of elements are dropped, attributes stay as written."""
    root = read_xml(b'<a:x xmlns:a="u"><y n="1">t&amp;&#233;<![CDATA[<z>]]></y><y/></a:x>')

    assert root.name == "x"
    assert [child.name for child in root.children] == ["y", "y"]
    assert root.named("y")[0].text == "t&é<z>"
    assert root.named("y")[0].attributes == {"n": "1"}


@pytest.mark.parametrize(
    "document",
    [
        BOMB,
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>',
        b"<a>" * 200 + b"</a>" * 200,
        b"<x>&unknown;</x>",
        b"<x>",
        b"",
        b"text",
        b"<x/><y/>",
        b"\xff\xfe",
        b"<a>" + b"<b/>" * 200_001 + b"</a>",
    ],
)
def test_hostile_xml_is_malformed(document):
    """Document types, entities, depth and size are refused before they cost anything."""
    with pytest.raises(MalformedError):
        read_xml(document)


@untimed
@given(st.text(max_size=80))
def test_any_text_survives_an_answer_in_xml(text):
    """What XML cannot hold becomes the replacement character; the rest arrives unchanged."""
    shape = CATALOG.model("sts").operation("GetCallerIdentity").output.members["Arn"]

    document = "".join(encode(shape, text, "Arn")).encode()

    kept = "".join(
        c
        if c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff" and not "\ud800" <= c <= "\udfff")
        else "\ufffd"
        for c in text
    )
    assert read_xml(document).text == kept


@pytest.mark.parametrize("body", [BOMB, b"<Delete>", b"<Delete><Object></Delete>"])
def test_s3_calls_bad_xml_malformed(body):
    """MalformedXML with S3's sentence."""
    model = CATALOG.model("s3")
    call = Call(model, model.operation("DeleteObjects"), {"Bucket": "b"})

    with pytest.raises(CallerError) as caught:
        CODECS["rest-xml"].parse(call, HttpRequest("POST", "/b", body=body))

    assert caught.value.code == "MalformedXML"


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=40)
    | st.binary(max_size=300),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=20,
)


@untimed
@given(PLAIN)
def test_cbor_round_trips(value):
    """Every kind of value that the protocol has."""
    assert cbor.loads(cbor.dumps(value)) == value


@pytest.mark.parametrize(
    ("document", "value"),
    [
        (b"\x9f\x01\x02\xff", [1, 2]),
        (b"\xbf\x61a\x01\xff", {"a": 1}),
        (b"\x7f\x61a\x61b\xff", "ab"),
        (b"\x5f\x41a\x41b\xff", b"ab"),
        (b"\xc1\x1a\x65\x00\x00\x00", 0x65000000),
        (b"\xf9\x3c\x00", 1.0),
        (b"\xfa\x3f\x80\x00\x00", 1.0),
        (b"\xf7", None),
    ],
)
def test_cbor_in_its_other_spellings(document, value):
    """Indefinite lengths, tags and short floats."""
    assert cbor.loads(document) == value


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"\x01\x01",
        b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x9b\x00\x00\x00\xff\xff\xff\xff\xff",
        b"\x81" * 1_000 + b"\x01",
        b"\xa1\x01\x01",
        b"\x61\xff",
        b"\x1c",
        b"\xf8\x20",
        b"\x7f\x41a\xff",
    ],
)
def test_hostile_cbor_is_malformed(document):
    """Wild lengths, depth, foreign keys and broken text."""
    with pytest.raises(MalformedError):
        cbor.loads(document)


@pytest.mark.parametrize(
    "document",
    [
        b"\xff",
        cbor.dumps([]),
        cbor.dumps({"Namespace": 1}),
        cbor.dumps({"Namespace": True}),
        cbor.dumps({"MetricData": {"a": 1}}),
    ],
)
def test_cbor_of_another_type_is_a_serialization_exception(document):
    """As JSON of another type is."""
    model = CATALOG.model("cloudwatch")
    call = Call(model, model.operation("PutMetricData"))

    with pytest.raises(CallerError) as caught:
        CODECS["smithy-rpc-v2-cbor"].parse(call, HttpRequest("POST", "/", body=document))

    assert caught.value.code == "SerializationException"


def test_what_cbor_cannot_hold_is_our_fault():
    """Nothing is guessed."""
    with pytest.raises(OutputError):
        cbor.dumps({"a": object()})
    with pytest.raises(OutputError):
        cbor.dumps(2**64)


def test_text_between_many_elements_is_put_together():
    """In the order it came, at the end of its element: it costs no more the more there is."""
    root = read_xml(b"<a>" + b"xy<b/>" * 50_000 + b"z</a>")

    assert root.text == "xy" * 50_000 + "z"
