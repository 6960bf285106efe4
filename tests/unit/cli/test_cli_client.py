"""The command line's own client."""

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from emberbox.cli import client as client_module
from emberbox.cli.client import Answer, Client, Failed, checked
from emberbox.cli.endpoint import Endpoint
from emberbox.cli.invoke import facts
from emberbox.cli.logs import span_s
from emberbox.cli.main import main

NAMES = st.text("abcXYZ019-_.~", min_size=1, max_size=10)


@given(
    st.sampled_from(["GET", "POST"]),
    st.binary(max_size=50),
    st.dictionaries(NAMES, st.text(max_size=10), max_size=3),
    st.text("abcXYZ019-_:", min_size=1, max_size=10),
)
def test_signatures_are_botocores(method, body, query, name):
    """Path, query, headers and body are all in it."""
    client = Client(Endpoint("http://127.0.0.1:4566", "eu-west-1", "111122223333"))
    path = f"/2015-03-31/functions/{client_module.quote(name, safe='')}/invocations"
    encoded = "&".join(
        f"{client_module.quote(k, safe='-_.~')}={client_module.quote(v, safe='-_.~')}"
        for k, v in sorted(query.items())
    )
    ours = client._signed("lambda", method, path, encoded, body, {"X-Amz-Log-Type": "Tail"})
    request = AWSRequest(
        method,
        f"http://127.0.0.1:4566{path}?{encoded}",
        data=body,
        headers={"X-Amz-Log-Type": "Tail", "Host": "127.0.0.1:4566"},
    )
    signer = SigV4Auth(Credentials("111122223333", "emberbox"), "lambda", "eu-west-1")
    request.context["timestamp"] = ours["X-Amz-Date"]
    request.headers["X-Amz-Date"] = ours["X-Amz-Date"]
    text = signer.string_to_sign(request, signer.canonical_request(request))

    assert ours["Authorization"].endswith(signer.signature(text, request))


@pytest.mark.parametrize(
    ("status", "name", "code"),
    [(404, "ResourceNotFoundException", 3), (429, "TooManyRequestsException", 5), (500, "X", 1)],
)
def test_errors_have_exit_codes(status, name, code):
    """Not found, conflict or throttle, anything else."""
    answer = Answer(status, {"x-amzn-errortype": name}, b'{"message": "why"}')

    with pytest.raises(Failed) as caught:
        checked(answer)

    assert caught.value.exit_code == code
    assert caught.value.message == f"{name}: why"


def test_no_server_is_said_with_what_to_do():
    """Exit code 4."""
    shown = CliRunner().invoke(main, ["invoke", "f", "--endpoint-url", "http://127.0.0.1:1"])

    assert shown.exit_code == 4
    assert "emberbox serve" in shown.output


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30), ("10m", 600), ("2d", 172_800)])
def test_spans(text, seconds):
    """A number and a unit."""
    assert span_s(text) == seconds


@pytest.mark.parametrize("arguments", [["logs", "f", "--since", "soon"], ["cost", "--by", "moon"]])
def test_wrong_words_are_refused(arguments):
    """Status 2."""
    assert CliRunner().invoke(main, arguments).exit_code == 2


def test_facts_are_read_from_a_log_of_json_too():
    """From the record of the platform; a function may print what looks like one."""
    tail = (
        '{"type":"platform.report","record":3}\n'
        '{"time":"t","type":"platform.report","record":{"requestId":"r","metrics":{"durationMs":1.5,'
        '"billedDurationMs":2,"memorySizeMB":128,"maxMemoryUsedMB":9}}}\n'
    )

    assert facts(Answer(200, {"x-amzn-requestid": "r"}, b""), tail) == (
        "ok  1.50 ms (billed 2 ms)  9/128 MB  req r"
    )


def test_facts_of_an_invocation():
    """From the headers and the REPORT line."""
    tail = (
        "REPORT RequestId: r\tDuration: 1.23 ms\tBilled Duration: 86 ms\tMemory Size: 128 MB\t"
        "Max Memory Used: 31 MB\tInit Duration: 84.00 ms\t\n"
    )
    headers = {"x-amzn-requestid": "r", "x-amz-executed-version": "7"}

    assert facts(Answer(200, headers, b""), tail) == (
        "ok  1.23 ms (billed 86 ms)  init 84.00 ms cold  31/128 MB  version 7  req r"
    )
    assert facts(Answer(200, {"x-amz-function-error": "Unhandled"}, b""), "").startswith("failed")
