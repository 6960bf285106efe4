"""Forms of an Invoke request that few clients send and all may."""

import http.client
import time
from email.utils import parsedate_to_datetime
from urllib.parse import quote, urlsplit

import pytest

PATH = "/2015-03-31/functions/{}/invocations"


@pytest.fixture
def post(server):
    """Sends one Invoke request to a target: status and body."""
    url = urlsplit(server.url)

    def send(target, **headers):
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=30)
        try:
            connection.request("POST", target, b"{}", headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    return send


@pytest.fixture
def echo(make_function):
    """A function that answers with the ARN it was called by."""
    return make_function(
        "def lambda_handler(event, context):\n    return context.invoked_function_arn\n"
    )


@pytest.mark.parametrize("escape", [str, lambda arn: quote(arn, safe="")], ids=["plain", "escaped"])
@pytest.mark.parametrize("qualifier", ["", ":$LATEST"])
def test_function_is_named_by_its_arn(post, echo, escape, qualifier):
    """Colons and dollars may be escaped or not; the function hears what it was called by."""
    arn = f"arn:aws:lambda:us-east-1:123456789012:function:{echo}{qualifier}"

    assert post(PATH.format(escape(arn))) == (200, f'"{arn}"')


def test_target_may_be_a_whole_url(post, echo, server):
    """As clients write it that believe they talk to a proxy."""
    status, body = post(server.url + PATH.format(echo))

    assert (status, body[-len(echo) - 1 : -1]) == (200, echo)


def test_unknown_query_fields_are_passed_over(post, echo):
    """However many there are, and however long."""
    fields = "&".join(f"field{n}={'x' * 50}" for n in range(200))

    status, body = post(f"{PATH.format(echo)}?{fields}&Qualifier=$LATEST")

    assert (status, body.endswith(':$LATEST"')) == (200, True)


def test_name_that_is_far_too_long_is_a_bad_name(post):
    """It is refused as a name, and shown only in part."""
    status, body = post(PATH.format("n" * 20_000))

    assert status == 400
    assert "at 'functionName' failed to satisfy constraint" in body
    assert len(body) < 5_000


@pytest.mark.parametrize(
    "path", ["/2015-03-31/functions", "/2015-03-31/functions/nobody", "/_emberbox/url/x/", "/"]
)
def test_every_answer_has_its_date(server, path):
    """As HTTP asks for of whoever has a clock, and AWS gives it."""
    before = int(time.time())
    where = urlsplit(server.url)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=30)
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    connection.close()

    [date] = answer.headers.get_all("date")
    assert before <= parsedate_to_datetime(date).timestamp() <= time.time()
