"""Scalars, JSON values, header lists: what is read, what is refused and in which words."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from gateway_models import CATALOG
from gateway_samples import untimed
from hypothesis import example, given
from hypothesis import strategies as st

from emberbox.errors import CallerError
from emberbox.gateway import scalars
from emberbox.gateway.codecs import CODECS
from emberbox.gateway.wire import Call, HttpRequest, OutputError, UnreadableError

MOMENTS = st.datetimes(
    min_value=datetime(1000, 1, 1),  # noqa: DTZ001 - the strategy adds the zone
    max_value=datetime(9000, 1, 1),  # noqa: DTZ001 - the strategy adds the zone
    timezones=st.just(UTC),
)


def call_of(service, operation, **labels):
    model = CATALOG.model(service)
    return Call(model, model.operation(operation), labels)


def parsed(service, protocol, operation, body, **labels):
    call = call_of(service, operation, **labels)
    return CODECS[protocol].parse(call, HttpRequest("POST", "/", body=body))


def refused(service, protocol, operation, body):
    with pytest.raises(CallerError) as caught:
        parsed(service, protocol, operation, body, FunctionName="f")
    return caught.value


@untimed
@given(MOMENTS)
def test_iso_timestamps_round_trip(moment):
    """To the microsecond."""
    text = scalars.write_timestamp(moment, scalars.ISO8601)

    assert scalars.read_timestamp(text, scalars.ISO8601) == moment


@untimed
@given(MOMENTS)
def test_http_dates_round_trip(moment):
    """To the second, which is all they hold."""
    moment = moment.replace(microsecond=0)

    text = scalars.write_timestamp(moment, scalars.RFC822)

    assert scalars.read_timestamp(text, scalars.RFC822) == moment


@untimed
@example(1, 132)
@given(st.integers(-(10**9), 4 * 10**9), st.integers(0, 999))
def test_unix_timestamps_round_trip(seconds, milliseconds):
    """To the millisecond, as numbers and as text."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
        seconds=seconds, milliseconds=milliseconds
    )

    assert scalars.from_epoch(scalars.to_epoch(moment)) == moment
    text = scalars.write_timestamp(moment, scalars.UNIX)
    assert scalars.read_timestamp(text, scalars.UNIX) == moment


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-02-29T12:00:00Z", datetime(2024, 2, 29, 12, tzinfo=UTC)),
        ("2024-02-29T12:00:00.250Z", datetime(2024, 2, 29, 12, 0, 0, 250_000, UTC)),
        ("2024-02-29T13:00:00+01:00", datetime(2024, 2, 29, 12, tzinfo=UTC)),
        ("2024-02-29", datetime(2024, 2, 29, tzinfo=UTC)),
        ("Thu, 29 Feb 2024 12:00:00 GMT", datetime(2024, 2, 29, 12, tzinfo=UTC)),
        ("1709208000", datetime(2024, 2, 29, 12, tzinfo=UTC)),
        ("1709208000.25", datetime(2024, 2, 29, 12, 0, 0, 250_000, UTC)),
    ],
)
def test_clients_write_moments_in_many_ways(text, moment):
    """All of them are understood wherever a timestamp is expected."""
    for expected in (scalars.ISO8601, scalars.RFC822, scalars.UNIX):
        if expected == scalars.RFC822 and "," not in text and "-" in text:
            continue
        assert scalars.read_timestamp(text, expected) == moment


@pytest.mark.parametrize("text", ["", "yesterday", "2024-13-01", "9" * 13, "x" * 10_000, "1e9"])
def test_what_is_no_moment_is_refused(text):
    """With a short text, however long the input."""
    with pytest.raises(UnreadableError) as caught:
        scalars.read_timestamp(text, scalars.ISO8601)
    assert len(str(caught.value)) < 120


def test_an_operation_may_give_seconds_or_any_zone():
    """Clocks give floats; both are written in UTC."""
    plus_two = timezone(timedelta(hours=2))

    assert scalars.write_timestamp(0.25, scalars.ISO8601) == "1970-01-01T00:00:00.250Z"
    assert (
        scalars.write_timestamp(datetime(2024, 1, 1, 2, tzinfo=plus_two), scalars.ISO8601)
        == "2024-01-01T00:00:00Z"
    )
    assert scalars.to_epoch(1.0) == 1


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"logGroupName": 1}', "NUMBER_VALUE can not be converted to a String"),
        (b'{"logGroupName": true}', "TRUE_VALUE can not be converted to a String"),
        (b'{"logGroupName": false}', "FALSE_VALUE can not be converted to a String"),
        (b'{"logGroupName": {}}', "Start of structure or map found where not expected"),
        (b'{"logGroupName": []}', "Start of list found where not expected"),
        (b'{"logEvents": "x"}', "Expected list or null"),
        (b'{"logEvents": ["x"]}', "Expected structure or null"),
        (b'{"logEvents": [{"timestamp": "1"}]}', "STRING_VALUE can not be converted to a Long"),
        (b'{"logEvents": [{"timestamp": 1.5}]}', "DECIMAL_VALUE can not be converted to a Long"),
        (b'{"logEvents": [{"timestamp": 9223372036854775808}]}', None),
        (b"[]", "Start of list found where not expected"),
        (b"null", "Expected structure or null"),
        (b'{"logGroupName"', None),
        (b"\xff", None),
        (b"[" * 100_000, None),
    ],
)
def test_json_of_another_type_is_a_serialization_exception(body, text):
    """In the words of AWS's own reader."""
    error = refused("logs", "json", "PutLogEvents", body)

    assert (error.code, error.status) == ("SerializationException", 400)
    assert text is None or error.message == text


@pytest.mark.parametrize(
    ("service", "operation", "body", "text"),
    [
        ("kinesis", "PutRecord", b'{"Data": 1}', "NUMBER_VALUE can not be converted to a Blob"),
        ("kinesis", "PutRecord", b'{"Data": "!"}', "a blob is not valid base64"),
        (
            "kinesis",
            "GetShardIterator",
            b'{"Timestamp": true}',
            "TRUE_VALUE can not be converted to a Date",
        ),
        ("kinesis", "GetShardIterator", b'{"Timestamp": "soon"}', "'soon' is not a timestamp"),
        ("sqs", "CreateQueue", b'{"Attributes": "x"}', "Expected map or null"),
        (
            "dynamodb",
            "GetItem",
            b'{"ConsistentRead": "x"}',
            "STRING_VALUE can not be converted to a Boolean",
        ),
        (
            "cloudwatch",
            "PutMetricData",
            b'{"MetricData": [{"Value": true}]}',
            "TRUE_VALUE can not be converted to a Double",
        ),
        (
            "cloudwatch",
            "PutMetricData",
            b'{"MetricData": [{"Value": "much"}]}',
            "'much' is not a number",
        ),
    ],
)
def test_each_type_has_its_name_in_the_refusal(service, operation, body, text):
    """Blobs, dates, maps, booleans and doubles."""
    assert refused(service, "json", operation, body).message == text


@pytest.mark.parametrize("text", ["x", str(2**40)])
def test_parameters_outside_the_body_have_types_too(text):
    """Lambda's query strings and S3's are refused in their own ways."""
    request = HttpRequest("GET", "/", query=[("MaxItems", text)])
    objects = HttpRequest("GET", "/b", query=[("max-keys", text)])

    with pytest.raises(CallerError) as caught:
        CODECS["rest-json"].parse(call_of("lambda", "ListFunctions"), request)
    with pytest.raises(CallerError) as s3_caught:
        CODECS["rest-xml"].parse(call_of("s3", "ListObjectsV2", Bucket="b"), objects)

    assert (caught.value.code, s3_caught.value.code) == (
        "SerializationException",
        "InvalidArgument",
    )


@pytest.mark.parametrize("text", [str(2**31), "-" + "9" * 30, "9" * 5000])
def test_a_number_that_is_too_large_is_a_number(text):
    """In a body or outside of it, with as many digits as it likes; the text tells the range."""
    body = f'{{"limit": {text}}}'.encode()
    request = HttpRequest("GET", "/", query=[("MaxItems", text)])

    with pytest.raises(CallerError) as caught:
        CODECS["rest-json"].parse(call_of("lambda", "ListFunctions"), request)
    told = caught.value.message, refused("logs", "json", "DescribeLogGroups", body).message

    in_range = "Numeric value out of range of integer (-2147483648 - 2147483647)"
    infinite = "number is infinity when parsed as double"
    assert told[0] == in_range
    assert told[1] == in_range or (len(text) > 400 and infinite in told[1])


def test_a_deep_document_is_refused():
    """Recursive shapes do not exhaust the stack."""
    value = b'{"L":[' * 200 + b'{"S":"x"}' + b"]}" * 200
    body = b'{"TableName":"t","Item":{"a":' + value + b"}}"

    error = refused("dynamodb", "json", "PutItem", body)

    assert error.message == "The document is nested too deeply"


def test_lambda_tells_the_json_parser_s_words():
    """SerializationException, its message under a capital key as Lambda has it."""
    error = refused("lambda", "rest-json", "UpdateFunctionConfiguration", b'{"Timeout": }')

    assert error.code == "SerializationException"
    assert error.message.startswith("Could not parse request body into json: ")


def test_absent_and_null_members_stay_absent():
    """And what the model does not know is passed over."""
    body = b'{"logGroupName": "g", "kmsKeyId": null, "unheardOf": {"a": [1]}}'

    assert parsed("logs", "json", "CreateLogGroup", body) == {"logGroupName": "g"}


def test_whole_floats_are_integers():
    """JSON knows one kind of number."""
    assert parsed("logs", "json", "DescribeLogGroups", b'{"limit": 5.0}') == {"limit": 5}


def test_special_floats_travel_as_words():
    """NaN and the infinities, in and out."""
    body = b'{"Namespace":"n","MetricData":[{"MetricName":"m","Value":"-Infinity"}]}'

    params = parsed("cloudwatch", "json", "PutMetricData", body)

    assert params["MetricData"][0]["Value"] == float("-inf")
    assert scalars.special_or_float(float("inf")) == "Infinity"
    assert scalars.special_or_float(float("nan")) == "NaN"


@pytest.mark.parametrize(
    ("output", "fault"),
    [
        ({"logGroups": [{"logGroupName": 5}]}, "expected"),
        ({"logGroups": [{"storedBytes": "5"}]}, "expected"),
        ({"logGroups": {}}, "expected"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_an_answer_the_model_does_not_allow_is_our_fault(output, fault):
    """It is refused, not sent."""
    with pytest.raises(OutputError, match=fault):
        CODECS["json"].serialise(call_of("logs", "DescribeLogGroups"), output, "id")


def test_none_in_an_answer_is_absent():
    """Operations need not build their answers member by member."""
    output = {"logGroups": [{"logGroupName": "g", "kmsKeyId": None}], "nextToken": None}

    response = CODECS["json"].serialise(call_of("logs", "DescribeLogGroups"), output, "id")

    assert response.body == b'{"logGroups":[{"logGroupName":"g"}]}'


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("ETag, ObjectSize", ["ETag", "ObjectSize"]),
        ('"a,b",c', ["a,b", "c"]),
        ('"say \\"hi\\", friend", b', ['say "hi", friend', "b"]),
        ("", [""]),
    ],
)
def test_header_lists_are_split_outside_quotes(text, items):
    """Commas within double quotes belong to the value."""
    request = HttpRequest("GET", "/b/k", headers={"x-amz-object-attributes": text})

    params = CODECS["rest-xml"].parse(call_of("s3", "GetObjectAttributes"), request)

    assert params["ObjectAttributes"] == items


def test_a_parameter_may_not_have_endless_values():
    """Lists in query strings are bounded."""
    request = HttpRequest("GET", "/", query=[("tagKeys", "k")] * 1_001)

    with pytest.raises(CallerError) as caught:
        CODECS["rest-json"].parse(call_of("lambda", "UntagResource", Resource="r"), request)

    assert caught.value.code == "SerializationException"


@pytest.mark.parametrize("text", ["", "1_0", "٣", "9" * 30])
def test_query_integers_are_plain_digits(text):
    """Nothing of what Python's int() forgives."""
    request = HttpRequest("GET", "/", query=[("MaxItems", text)])

    with pytest.raises(CallerError):
        CODECS["rest-json"].parse(call_of("lambda", "ListFunctions"), request)


HOSTILE = st.one_of(
    st.binary(max_size=200),
    st.text(alphabet='{}[]":,0123456789eE.-truefalsn\\u <>/&;=x', max_size=200).map(str.encode),
)
OPERATIONS = [
    ("lambda", "rest-json", "CreateFunction"),
    ("lambda", "rest-json", "Invoke"),
    ("dynamodb", "json", "PutItem"),
    ("iam", "query", "CreateRole"),
    ("sqs", "query", "SendMessageBatch"),
    ("s3", "rest-xml", "DeleteObjects"),
    ("s3", "rest-xml", "PutBucketLifecycleConfiguration"),
    ("cloudwatch", "smithy-rpc-v2-cbor", "PutMetricData"),
]


@pytest.mark.parametrize(("service", "protocol", "operation"), OPERATIONS)
@untimed
@given(body=HOSTILE)
def test_no_body_is_too_odd(service, protocol, operation, body):
    """Any bytes are parameters or a CallerError, never another exception."""
    call = call_of(service, operation, FunctionName="f", Bucket="b")
    try:
        params = CODECS[protocol].parse(call, HttpRequest("POST", "/", body=body))
    except CallerError:
        return
    assert isinstance(params, dict)
