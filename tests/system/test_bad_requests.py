"""Bad requests of every kind are answered as AWS answers them, and the server stays well.

That its log stays quiet too is checked when the server of these tests stops (`conftest.py`).
"""

import json
import re
import socket
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from hands import ApiError, Boto3Hands
from material import ROLE, make_zip

FUNCTIONS = "/2015-03-31/functions"
FORM = "Content-Type: application/x-www-form-urlencoded"
CODE = {"ZipFile": make_zip(lambda_function="def lambda_handler(event, context): pass\n")}


@dataclass(frozen=True)
class Answer:
    """A raw answer."""

    status: int
    head: str
    body: bytes

    def json(self):
        """The body as Python values."""
        return json.loads(self.body)


@pytest.fixture
def raw(server):
    """A function that sends bytes and gives the answer, or None if the connection was closed."""
    url = urlsplit(server.url)

    def send(data):
        with socket.create_connection((url.hostname, url.port), timeout=20) as connection:
            # It may answer and close before it has heard all.
            with suppress(ConnectionError):
                connection.sendall(data)
            return receive(connection)

    return send


@pytest.fixture
def careless(server):
    """boto3 that checks nothing itself: the server must not depend on that."""
    made = Boto3Hands(server.url, careless=True)
    yield made
    made.close()


def receive(connection):
    """One answer from a connection."""
    received = b""
    while b"\r\n\r\n" not in received:
        data = connection.recv(65_536)
        if not data:
            return None
        received += data
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(re.search(rb"(?i)\r\ncontent-length: (\d+)", head)[1])
    while len(body) < length:
        body += connection.recv(65_536)
    return Answer(int(head.split()[1]), head.decode("latin-1").lower(), body)


def request(method, path, service="lambda", body=b"", *headers, length=None):
    """The bytes of a request signed for a service."""
    lines = [f"{method} {path} HTTP/1.1", "Host: emberbox"]
    if service:
        scope = f"emberbox/20261121/us-east-1/{service}/aws4_request"
        lines.append(
            f"Authorization: AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"
        )
    lines += [*headers, f"Content-Length: {len(body) if length is None else length}", "", ""]
    return "\r\n".join(lines).encode() + body


CASES = {
    "no json": (
        request("POST", FUNCTIONS, body=b"{oops"),
        400,
        "SerializationException",
        "Could not parse request body into json: ",
    ),
    "a list for an object": (
        request("POST", FUNCTIONS, body=b"[]"),
        400,
        "SerializationException",
        "Start of list found where not expected",
    ),
    "a number for a text": (
        request("POST", FUNCTIONS, body=b'{"FunctionName": 3}'),
        400,
        "SerializationException",
        "NUMBER_VALUE can not be converted to a String",
    ),
    "nothing of what is required": (
        request("POST", FUNCTIONS, body=b"{}"),
        400,
        "ValidationException",
        "3 validation errors detected: Value null at 'functionName' failed to satisfy constraint: "
        "Member must not be null; ",
    ),
    "an unknown path": (
        request("GET", f"{FUNCTIONS}/x/nothing"),
        404,
        "UnknownOperationException",
        "There is no operation GET /2015-03-31/functions/x/nothing",
    ),
    "an operation that is not built": (
        request(
            "POST",
            "/",
            "sts",
            b"Action=DecodeAuthorizationMessage&Version=2011-06-15&EncodedMessage=x",
            FORM,
        ),
        501,
        "NotImplementedException",
        "Emberbox does not build sts.DecodeAuthorizationMessage yet",
    ),
    "a service that is not built": (
        request("POST", "/", "ec2", b"Action=RunInstances&Version=2016-11-15", FORM),
        501,
        "NotImplementedException",
        "Emberbox does not build ec2",
    ),
    "an unknown target": (
        request("POST", "/", "logs", b"{}", "X-Amz-Target: Logs_20140328.Nonsense"),
        404,
        "UnknownOperationException",
        "There is no operation Nonsense",
    ),
    "an unknown action": (
        request("POST", "/", "iam", b"Action=Nonsense&Version=2010-05-08", FORM),
        404,
        "UnknownOperationException",
        "There is no operation Nonsense",
    ),
    "an upload that says it is too large": (
        request("POST", FUNCTIONS, length=70_167_212),
        413,
        "RequestEntityTooLargeException",
        "Request must be smaller than 70167211 bytes for the CreateFunction operation",
    ),
    "a payload for no function": (
        request("POST", f"{FUNCTIONS}/nobody/invocations", body=b"{}"),
        404,
        "ResourceNotFoundException",
        "Function not found: arn:aws:lambda:us-east-1:123456789012:function:nobody",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_request_is_answered_as_by_aws(raw, case):
    """Status, error name and text are AWS's; what we do not build names itself."""
    data, status, name, text = CASES[case]

    answer = raw(data)

    assert answer.status == status
    assert name.lower() in answer.head or name.encode() in answer.body
    assert text in answer.body.decode().replace("&apos;", "'")
    assert "x-amzn-requestid: " in answer.head


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello, perhaps\r\n\r\n",
        b"garbage\r\n\r\n",
        b"GET / HTTP/1.1\r\nX-Endless: " + b"y" * 3_000_000,
        b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["tls", "garbage", "endless header", "negative length", "bad chunk"],
)
def test_what_is_no_http_ends_the_connection(raw, data):
    """400 and the end of the connection; the next client is served."""
    answer = raw(data)

    assert answer is None or answer.status == 400
    assert raw(request("GET", f"{FUNCTIONS}/")).status == 200


def test_payload_beyond_the_limit(boto, make_function):
    """6 MB are taken, one byte more is refused with its size."""
    name = make_function("def lambda_handler(event, context):\n    return len(event)\n")
    largest = json.dumps("x" * 6_291_454).encode()

    assert boto.invoke(name, largest).json() == 6_291_454
    with pytest.raises(ApiError) as refused:
        boto.invoke(name, largest + b" ")

    assert refused.value.code == "RequestTooLargeException"
    assert refused.value.message == (
        "6291457 byte payload is too large for the RequestResponse invocation type "
        "(limit 6291456 bytes)"
    )


@pytest.mark.parametrize(
    ("member", "value", "code", "words"),
    [
        ("Role", "nonsense", "ValidationException", "at 'role' failed to satisfy constraint"),
        ("Handler", "has blanks", "ValidationException", "at 'handler' failed to satisfy"),
        ("Handler", None, "InvalidParameterValueException", "Handler are mandatory"),
        ("Runtime", None, "InvalidParameterValueException", "Runtime and"),
        (
            "Runtime",
            "cobol68",
            "InvalidParameterValueException",
            "Value cobol68 at 'runtime' failed to satisfy constraint: Member must satisfy enum "
            "value set: [",
        ),
        ("MemorySize", 64, "ValidationException", "Member must have value greater than or equal"),
        ("Timeout", 901, "ValidationException", "Member must have value less than or equal"),
        (
            "Environment",
            {"Variables": {"AWS_REGION": "x"}},
            "InvalidParameterValueException",
            "Reserved keys used in this request: AWS_REGION",
        ),
        (
            "Environment",
            {"Variables": {"BIG": "x" * 5000}},
            "InvalidParameterValueException",
            "exceeded the 4KB limit",
        ),
        ("Layers", ["arn:aws:lambda:us-east-1:123456789012:layer:l:1"], "Invalid", "Layer version"),
    ],
)
def test_bad_configuration_is_refused(boto, careless, member, value, code, words):
    """A function that cannot be as it is asked for is not created."""
    parameters = {
        "FunctionName": "never-made",
        "Runtime": "python3.12",
        "Role": ROLE,
        "Handler": "lambda_function.lambda_handler",
        "Code": CODE,
    }
    parameters[member] = value
    if value is None:
        del parameters[member]

    with pytest.raises(ApiError) as refused:
        careless.call("lambda", "CreateFunction", **parameters)

    assert refused.value.code.startswith(code)
    assert words in refused.value.message
    with pytest.raises(ApiError, match="ResourceNotFoundException"):
        boto.call("lambda", "GetFunction", FunctionName="never-made")
