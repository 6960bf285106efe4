"""Error envelopes: code, status, message and where each of them stands."""

import json

import pytest
from gateway_asgi import gateway
from gateway_models import CATALOG, received

from emberbox.errors import CallerError
from emberbox.gateway.codecs import CODECS
from emberbox.gateway.failures import internal, resolve

ID = "11111111-2222-4333-8444-555555555555"


def envelope(service, error, protocol=None):
    model = CATALOG.model(service) if service else None
    protocol = protocol or model.protocols[0]
    return CODECS[protocol].serialise_error(model, resolve(model, error), ID)


@pytest.mark.parametrize(
    ("code", "status", "body"),
    [
        ("ResourceNotFoundException", 404, {"Type": "User", "Message": "m"}),
        ("ResourceConflictException", 409, {"Type": "User", "message": "m"}),
        ("InvalidParameterValueException", 400, {"Type": "User", "message": "m"}),
        ("InvalidZipFileException", 502, {"Type": "Service", "Message": "m"}),
        ("ServiceException", 500, {"Type": "Service", "Message": "m"}),
        ("ValidationException", 400, {"message": "m"}),
        ("SerializationException", 400, {"Message": "m"}),
        ("RequestEntityTooLargeException", 400, {"message": "m"}),
    ],
)
def test_lambda_s_errors_have_the_model_s_status_and_message_key(code, status, body):
    """The name stands in a header, the blame in Type where the shape has one."""
    response = envelope("lambda", CallerError(code, "m"))

    assert response.status == status
    assert json.loads(response.body) == body
    assert ("x-amzn-ErrorType", code) in response.headers
    assert ("x-amzn-RequestId", ID) in response.headers


def test_some_errors_do_not_say_whose_fault_it_is():
    """An empty Type is none."""
    response = envelope(
        "lambda", CallerError("ResourceNotFoundException", "m", fields={"Type": ""})
    )

    assert json.loads(response.body) == {"Message": "m"}


def test_a_throttle_carries_reason_and_retry_after():
    """Members bound to headers go there, the others into the body."""
    error = CallerError(
        "TooManyRequestsException",
        "Rate Exceeded.",
        fields={
            "Reason": "ReservedFunctionConcurrentInvocationLimitExceeded",
            "retryAfterSeconds": "1",
        },
    )

    response = envelope("lambda", error)

    assert response.status == 429
    assert ("Retry-After", "1") in response.headers
    assert json.loads(response.body) == {
        "Reason": "ReservedFunctionConcurrentInvocationLimitExceeded",
        "Type": "User",
        "message": "Rate Exceeded.",
    }


def test_the_raiser_s_status_and_headers_win():
    """Over what the model says."""
    error = CallerError("ResourceNotFoundException", "m", status=410, headers={"X-Why": "gone"})

    response = envelope("lambda", error)

    assert response.status == 410
    assert ("X-Why", "gone") in response.headers


def test_fields_are_written_as_their_shapes_want_them():
    """DynamoDB's conditional failures carry an item, ECR's layers a number."""
    item = {"id": {"S": "x"}, "raw": {"B": b"\x00"}}
    failed = CallerError("ConditionalCheckFailedException", "m", fields={"Item": item})
    layer = CallerError("InvalidLayerPartException", "m", fields={"lastValidByteReceived": "7"})

    assert json.loads(envelope("dynamodb", failed).body)["Item"] == {
        "id": {"S": "x"},
        "raw": {"B": "AA=="},
    }
    assert json.loads(envelope("ecr", layer).body)["lastValidByteReceived"] == 7


@pytest.mark.parametrize(
    ("service", "code", "kind"),
    [
        ("logs", "ResourceNotFoundException", "ResourceNotFoundException"),
        (
            "dynamodb",
            "ResourceNotFoundException",
            "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException",
        ),
        ("dynamodb", "ValidationException", "com.amazon.coral.validate#ValidationException"),
        ("logs", "SerializationException", "com.amazon.coral.service#SerializationException"),
        ("sqs", "QueueDoesNotExist", "com.amazonaws.sqs#QueueDoesNotExist"),
    ],
)
def test_json_errors_have_their_type_in_the_body(service, code, kind):
    """With the namespace that the service puts before it."""
    assert json.loads(envelope(service, CallerError(code, "m")).body)["__type"] == kind


@pytest.mark.parametrize("code", ["QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"])
def test_sqs_tells_old_and_new_code(code):
    """Whichever the service raised: the header has the old one, the body the new one."""
    response = envelope("sqs", CallerError(code, "m"))

    headers = dict(response.headers)
    assert headers["x-amzn-query-error"] == "AWS.SimpleQueueService.NonExistentQueue;Sender"
    assert json.loads(response.body)["__type"] == "com.amazonaws.sqs#QueueDoesNotExist"


def test_sqs_in_xml_has_the_old_code():
    """Query clients never saw another."""
    response = envelope("sqs", CallerError("QueueDoesNotExist", "m"), "query")

    error = received("query", None, response.status, response.headers, response.body)
    assert error["Error"]["Code"] == "AWS.SimpleQueueService.NonExistentQueue"


@pytest.mark.parametrize("code", ["NoSuchEntity", "NoSuchEntityException"])
def test_query_errors_have_the_wire_code_and_the_blame(code):
    """IAM's shapes are named otherwise than its codes; either name finds the shape."""
    response = envelope("iam", CallerError(code, "a <b> & c"))

    assert response.status == 404
    assert response.body == (
        b'<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error>'
        b"<Type>Sender</Type><Code>NoSuchEntity</Code>"
        b"<Message>a &lt;b&gt; &amp; c</Message></Error>"
        b"<RequestId>11111111-2222-4333-8444-555555555555</RequestId></ErrorResponse>"
    )


def test_s3_errors_have_a_root_of_their_own():
    """With the fields of the error, and both ids."""
    error = CallerError("NoSuchKey", "m", status=404, fields={"Key": "a&b"})

    response = envelope("s3", error)

    headers = dict(response.headers)
    assert response.status == 404
    assert headers["x-amz-request-id"] == ID
    assert headers["x-amz-id-2"]
    assert b"<Error><Code>NoSuchKey</Code><Message>m</Message><Key>a&amp;b</Key>" in response.body


@pytest.mark.parametrize(
    ("service", "code", "status"),
    [
        ("lambda", "ServiceException", 500),
        ("s3", "InternalError", 500),
        ("sqs", "InternalFailure", 500),
        (None, "InternalFailure", 500),
    ],
)
def test_our_own_failures_have_the_service_s_name_for_them(service, code, status):
    """And say nothing of the cause."""
    error = internal(CATALOG.model(service) if service else None)

    assert (error.code, error.status, error.message) == (
        code,
        status,
        "An internal error occurred.",
    )


@pytest.mark.parametrize(
    ("service", "code", "status"),
    [
        ("kinesis", "InternalFailureException", 500),
        ("kinesis", "LimitExceededException", 400),
        ("events", "InternalException", 500),
        ("iam", "EntityAlreadyExists", 409),
    ],
)
def test_faults_without_a_status_are_500(service, code, status):
    """The model marks them, the caller is to blame for the rest."""
    assert envelope(service, CallerError(code, "m")).status == status


def test_the_fast_path_gets_status_headers_and_body():
    """Synchronously, ready for a connection that is not ASGI's."""
    error = CallerError("ResourceNotFoundException", "Function not found: x")

    status, headers, body = gateway().error_response("lambda", "Invoke", error, ID)

    assert status == 404
    assert json.loads(body) == {"Type": "User", "Message": "Function not found: x"}
    assert (b"x-amzn-errortype", b"ResourceNotFoundException") in headers
    assert (b"content-length", str(len(body)).encode()) in headers
