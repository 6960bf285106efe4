"""The gateway as an ASGI application, with services made of functions."""

import json
import logging

import pytest
from gateway_asgi import ACCOUNT, REGION, FakeService, authorization, call, gateway, http_scope

from emberbox import __version__
from emberbox.errors import PlatformError
from emberbox.model.request import Reply

SIGNED = {"authorization": authorization("lambda")}
CONFIGURATION = "/2015-03-31/functions/f/configuration"


async def _echo(context, params):
    return {"FunctionName": params["FunctionName"], "Description": context.request_id}


async def test_an_operation_gets_context_and_parameters():
    """Everything the gateway knows of the caller, and the parsed request."""
    seen = []

    async def operation(context, params):
        seen.append((context, params))
        return {"FunctionName": "f"}

    app = gateway(FakeService("lambda", GetFunctionConfiguration=operation))
    answer = await call(app, "GET", f"{CONFIGURATION}?Qualifier=1", SIGNED)

    ((context, params),) = seen
    assert params == {"FunctionName": "f", "Qualifier": "1"}
    assert (context.account, context.region, context.access_key) == (ACCOUNT, REGION, ACCOUNT)
    assert (context.service, context.operation) == ("lambda", "GetFunctionConfiguration")
    assert context.endpoint == "http://127.0.0.1:4566"
    assert answer.headers["x-amzn-requestid"] == context.request_id
    assert answer.status == 200
    assert json.loads(answer.body) == {"FunctionName": "f"}
    assert answer.headers["content-length"] == str(len(answer.body))


async def test_a_host_that_is_no_host_is_not_repeated():
    """URLs in answers are made of it."""
    endpoints = []

    async def operation(context, _):
        endpoints.append(context.endpoint)
        return {}

    app = gateway(FakeService("lambda", GetFunctionConfiguration=operation))
    await call(app, "GET", CONFIGURATION, {**SIGNED, "host": "evil/@x y"})

    assert endpoints == ["http://127.0.0.1:4566"]


async def test_a_reply_has_its_own_status_and_headers():
    """Over those of the model; an answer without content has no body."""

    async def operation(_context, _params):
        return Reply({"FunctionName": "f"}, status=204, headers={"X-Own": "a\r\nb: c"})

    app = gateway(FakeService("lambda", GetFunctionConfiguration=operation))
    answer = await call(app, "GET", CONFIGURATION, SIGNED)

    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["x-own"] == "a  b: c"
    assert "content-length" not in answer.headers


async def test_parameters_are_validated_before_the_operation_runs():
    """The operation never sees what breaks the model's constraints."""

    async def never(_context, _params):
        raise AssertionError

    app = gateway(FakeService("lambda", UpdateFunctionConfiguration=never))
    body = b'{"MemorySize": 1, "Timeout": 0}'
    answer = await call(app, "PUT", CONFIGURATION, SIGNED, body)

    assert answer.status == 400
    assert answer.headers["x-amzn-errortype"] == "ValidationException"
    assert json.loads(answer.body)["message"].startswith("2 validation errors detected: ")


async def test_a_failure_of_the_host_is_told_in_its_own_words(caplog):
    """Who serves himself can mend a full disk: client and log hear of it, in one line."""

    async def operation(_context, _params):
        raise PlatformError("the disk is full")

    app = gateway(FakeService("lambda", GetFunctionConfiguration=operation))
    with caplog.at_level(logging.DEBUG, logger="emberbox.gateway"):
        answer = await call(app, "GET", CONFIGURATION, SIGNED)

    assert answer.status == 500
    assert answer.headers["x-amzn-errortype"] == "ServiceException"
    assert json.loads(answer.body) == {"Type": "Service", "Message": "the disk is full"}
    (record,) = caplog.records
    assert record.exc_info is None
    assert record.getMessage().endswith("the disk is full")
    assert answer.headers["x-amzn-requestid"] in record.getMessage()


async def test_a_failure_of_ours_is_a_500_and_logged_once(caplog):
    """The client hears no cause, the log hears all."""
    error = KeyError("x")

    async def operation(_context, _params):
        raise error

    app = gateway(FakeService("lambda", GetFunctionConfiguration=operation))
    with caplog.at_level(logging.DEBUG, logger="emberbox.gateway"):
        answer = await call(app, "GET", CONFIGURATION, SIGNED)

    assert answer.status == 500
    assert json.loads(answer.body) == {"Type": "Service", "Message": "An internal error occurred."}
    (record,) = caplog.records
    assert record.exc_info[1] is error
    assert "lambda.GetFunctionConfiguration" in record.getMessage()
    assert answer.headers["x-amzn-requestid"] in record.getMessage()


async def test_an_answer_that_the_model_forbids_is_a_failure_of_ours(caplog):
    """A misspelt member is found by the first test that calls the operation."""

    async def operation(_context, _params):
        return {"FunctionNam": "f"}

    app = gateway(FakeService("lambda", GetFunctionConfiguration=operation))
    answer = await call(app, "GET", CONFIGURATION, SIGNED)

    assert answer.status == 500
    assert "FunctionNam" in caplog.text


@pytest.mark.parametrize(
    ("method", "path", "headers", "text"),
    [
        (
            "GET",
            "/2015-03-31/functions",
            SIGNED,
            "Emberbox does not build lambda.ListFunctions yet",
        ),
        (
            "POST",
            "/",
            {"authorization": authorization("kms"), "x-amz-target": "TrentService.ListKeys"},
            "Emberbox does not build kms.ListKeys yet",
        ),
        (
            "POST",
            "/",
            {"authorization": authorization("textract"), "x-amz-target": "Textract.Analyze"},
            "Emberbox does not build textract",
        ),
        (
            "GET",
            "/2025-09-09/microvms",
            SIGNED,
            "Emberbox does not build lambda-microvms",
        ),
    ],
)
async def test_what_is_not_built_says_so(method, path, headers, text):
    """501 with the name of what is missing."""
    app = gateway(FakeService("lambda", GetFunctionConfiguration=_echo))

    answer = await call(app, method, path, headers)

    assert answer.status == 501
    assert json.loads(answer.body)["message"] == text


async def test_an_unknown_operation_is_a_404():
    """In the service's protocol."""
    answer = await call(gateway(), "GET", "/2015-03-31/nothing", SIGNED)

    assert answer.status == 404
    assert answer.headers["x-amzn-errortype"] == "UnknownOperationException"


async def test_a_stranger_learns_what_this_is():
    """An unsigned request that is no AWS client's."""
    answer = await call(gateway(), "GET", "/")

    assert answer.status == 404
    assert "Emberbox" in json.loads(answer.body)["message"]


async def test_health_is_told():
    """With the version, and without credentials."""
    answer = await call(gateway(), "GET", "/_emberbox/health")

    assert answer.status == 200
    assert json.loads(answer.body) == {"status": "ok", "version": __version__}


async def test_a_request_too_large_for_lambda_is_refused_unread():
    """413 at once, in Lambda's words, with the operation's name."""
    app = gateway(FakeService("lambda", CreateFunction=_echo))
    headers = {**SIGNED, "content-length": "70167212"}

    answer = await call(app, "POST", "/2015-03-31/functions", headers, [])

    assert answer.status == 413
    assert json.loads(answer.body) == {
        "message": "Request must be smaller than 70167211 bytes for the CreateFunction operation"
    }


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/2015-03-31/nothing", SIGNED, 413),
        ("/", {"authorization": authorization("textract")}, 501),
        ("/", {}, 404),
    ],
)
async def test_a_large_request_for_nothing_is_refused_unread(path, headers, status):
    """An unknown operation, a service we do not have, and no service at all."""
    large = {**headers, "content-length": str(1 << 40)}

    assert (await call(gateway(), "POST", path, large, [])).status == status


async def test_a_broken_encoding_is_told_in_the_service_s_protocol():
    """Before any operation is looked for."""
    headers = {"authorization": authorization("s3"), "content-encoding": "aws-chunked"}

    answer = await call(gateway(), "PUT", "/b/k", headers, b"zz")

    assert answer.status == 400
    assert b"<Code>IncompleteBody</Code>" in answer.body


async def test_a_form_that_is_none_is_told_as_xml():
    """Only query services take forms."""
    headers = {"content-type": "application/x-www-form-urlencoded"}

    answer = await call(gateway(), "POST", "/", headers, b"Action=\xff")

    assert answer.status == 400
    assert b"<Code>MalformedQueryString</Code>" in answer.body


async def test_a_query_string_without_end_is_no_query():
    """Its parameters are not even counted."""
    app = gateway(FakeService("lambda", GetFunctionConfiguration=_echo))

    answer = await call(app, "GET", f"{CONFIGURATION}?{'a=1&' * 1_001}", SIGNED)

    assert answer.status == 200


async def test_a_client_that_leaves_early_gets_nothing():
    """And nothing is run for it."""
    sent = []

    async def receive():
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    scope = http_scope("POST", "http://127.0.0.1:4566/2015-03-31/functions", SIGNED)
    await gateway(FakeService("lambda", CreateFunction=_echo))(scope, receive, send)

    assert sent == []


@pytest.mark.parametrize(
    ("service", "headers", "name"),
    [
        ("lambda", {"authorization": authorization("lambda")}, "x-amzn-requestid"),
        ("s3", {"authorization": authorization("s3")}, "x-amz-request-id"),
    ],
)
async def test_every_answer_has_a_request_id(service, headers, name):
    """Errors too, under the name that the service's clients read."""
    answer = await call(gateway(), "PATCH", "/none/of/ours", headers)

    assert answer.status == 404, service
    assert len(answer.headers[name]) == 36


async def test_head_has_the_headers_but_not_the_body():
    """The length is that of the body it does not send."""

    async def operation(_context, _params):
        return {"ContentLength": 5, "ContentType": "text/plain"}

    app = gateway(FakeService("s3", HeadObject=operation))
    answer = await call(app, "HEAD", "/b/k", {"authorization": authorization("s3")})
    error = await call(app, "HEAD", "/b", {"authorization": authorization("s3")})

    assert (answer.status, answer.headers["content-length"], answer.body) == (200, "5", b"")
    assert (error.status, error.body) == (501, b"")


async def test_the_life_of_the_application_is_acknowledged():
    """Parts are started and stopped elsewhere; servers want an answer."""
    inbox = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent = []

    async def receive():
        return inbox.pop(0)

    async def send(message):
        sent.append(message["type"])

    await gateway()({"type": "lifespan"}, receive, send)

    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_websockets_are_refused():
    """They have a server of their own."""
    sent = []

    async def send(message):
        sent.append(message["type"])

    await gateway()({"type": "websocket"}, None, send)

    assert sent == ["websocket.close"]


async def test_other_kinds_of_scope_are_a_server_s_mistake():
    """ASGI has none but http, lifespan and websocket."""
    with pytest.raises(ValueError, match="carrier pigeon"):
        await gateway()({"type": "carrier pigeon"}, None, None)


def test_the_fast_path_reads_scopes_and_draws_request_ids():
    """With the gateway's own defaults and source."""
    app = gateway()

    scope = app.scope_of(authorization("lambda").encode())

    assert (scope.account, scope.region) == (ACCOUNT, REGION)
    assert app.scope_of(None).account == "000000000000"
    assert app.new_request_id() != app.new_request_id()


def test_warming_finds_misspelt_operations():
    """Which else would answer 501 for ever."""
    known = gateway(FakeService("lambda", GetFunctionConfiguration=_echo))
    assert list(known.warm()) == ["lambda"]

    with pytest.raises(ValueError, match="GetFunctionConfig"):
        list(gateway(FakeService("lambda", GetFunctionConfig=_echo)).warm())
