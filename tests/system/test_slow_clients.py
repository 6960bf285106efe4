"""Clients of function URLs that are slow, hasty, or gone: over real sockets, to a real server."""

import itertools
import os
import socket
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hands import Boto3Hands
from material import ROLE, make_zip

from tools.running import running

HANDLERS = """
    calls = 0

    def lambda_handler(event, context):
        global calls
        calls += 1
        asked = event.get("queryStringParameters") or {}
        if "mb" in asked:
            return pieces(int(asked["mb"]))
        if "bytes" in asked:
            return {"statusCode": 200, "body": "x" * int(asked["bytes"])}
        return {"statusCode": 200, "body": f"{calls} {event.get('body', '')}"}

    def pieces(count):
        yield {"statusCode": 200}
        for _ in range(count * 16):
            yield b"x" * 65536
"""


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    """A server on which one invocation runs at a time."""
    place = tmp_path_factory.mktemp("single")
    options = ("--max-concurrency", "1", "--request-rate", "0")
    with running(place / "data", place / "log", *options) as server:
        yield server


@pytest.fixture(scope="module")
def new_url(single):
    """Makes a function and its URL."""
    hands = Boto3Hands(single.url)
    client, numbers = hands.client("lambda"), itertools.count(1)

    def make(**settings):
        name = f"slow-{next(numbers)}"
        client.create_function(
            FunctionName=name,
            Runtime="python3.12",
            Role=ROLE,
            Handler="lambda_function.lambda_handler",
            Code={"ZipFile": make_zip(lambda_function=HANDLERS)},
            MemorySize=1_769,
            Timeout=2,
        )
        client.get_waiter("function_active_v2").wait(FunctionName=name)
        config = client.create_function_url_config(FunctionName=name, AuthType="NONE", **settings)
        return config["FunctionUrl"]

    yield make
    hands.close()


@pytest.fixture(scope="module")
def url(new_url):
    """A URL whose function counts its calls."""
    return new_url()


class Client:
    """A connection to the server of a URL."""

    def __init__(self, url, *, buffer_bytes=None):
        where = urlsplit(url)
        self.path = where.path
        self.socket = socket.socket()
        if buffer_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        self.socket.settimeout(30)
        self.socket.connect((where.hostname, where.port))
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.socket.close()

    def send(self, *lines, body=b"", query="", method="POST"):
        head = "\r\n".join([f"{method} {self.path}{query} HTTP/1.1", "Host: x", *lines])
        self.socket.sendall(f"{head}\r\n\r\n".encode() + body)

    def head(self):
        """The status and the headers of the next answer."""
        status = int(self.file.readline().split()[1])
        headers = {}
        while line := self.file.readline().strip():
            name, _, value = line.decode().partition(": ")
            headers[name.lower()] = value
        return status, headers

    def answer(self):
        """The next answer: its status and its body."""
        status, headers = self.head()
        return status, self.file.read(int(headers["content-length"]))

    def ask(self, body=b""):
        self.send(f"Content-Length: {len(body)}", body=body)
        return self.answer()


def calls(answer):
    """How often the function had been called by then."""
    status, body = answer
    assert status == 200, body
    return int(body.split()[0])


def resident_mb(pid):
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def test_an_upload_that_is_not_whole_holds_no_environment(url):
    """However many there are; and those that are never finished never reach the function."""
    with ExitStack() as stack, Client(url) as other:
        before = calls(other.ask())
        for _ in range(50):
            slow = stack.enter_context(Client(url))
            slow.send("Content-Length: 100000", body=b"x" * 50_000)
        assert calls(other.ask()) == before + 1
        stack.close()
        assert calls(other.ask()) == before + 2


def test_a_body_is_asked_for_once_it_is_wanted(url):
    """A client that waits for `100 Continue` gets it, or hears before it sends what is wrong."""
    with Client(url) as client:
        client.send("Expect: 100-continue", "Content-Length: 3")
        assert client.head()[0] == 100
        client.socket.sendall(b"abc")
        status, body = client.answer()
        assert (status, body.split()[1]) == (200, b"YWJj")
    with Client(url) as client:
        client.send("Expect: 100-continue", "Content-Length: 20000000")
        status, headers = client.head()
        assert (status, headers["connection"]) == (413, "close")


def test_requests_that_are_sent_ahead_are_answered_in_their_order(url):
    """Each after the one before it, so that one environment is enough for all."""
    with Client(url) as client:
        request = f"POST {client.path} HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
        client.socket.sendall(
            b"".join(f"{request}Content-Length: 4\r\n\r\n{n:04}".encode() for n in range(30))
        )
        answers = [client.answer() for _ in range(30)]
        assert [int(body.split()[1]) for _, body in answers] == list(range(30))
        counts = [calls(each) for each in answers]
        assert counts == list(range(counts[0], counts[0] + 30))


def test_a_connection_is_good_for_many_requests(url):
    """And nothing of one is left for the next."""
    with Client(url) as client:
        first = calls(client.ask(b"x"))
        last = [calls(client.ask(b"x" * (n % 7))) for n in range(200)][-1]
    assert last == first + 200


def test_an_answer_that_is_not_read_holds_no_environment(url):
    """The function has given it, and serves the next."""
    with Client(url, buffer_bytes=8_192) as slow, Client(url) as other:
        slow.send("Content-Length: 0", query="?bytes=5000000")
        assert slow.head()[0] == 200
        calls(other.ask())
        assert len(slow.file.read(5_000_000)) == 5_000_000


def test_a_stream_that_is_not_read_holds_the_function_back(new_url, single):
    """It runs into its time limit in its writes: little waits in the server, and it is cut off."""
    url = new_url(InvokeMode="RESPONSE_STREAM")
    before = resident_mb(single.pid)
    with Client(url, buffer_bytes=8_192) as slow, Client(url) as other:
        slow.send("Content-Length: 0", query="?mb=150")
        assert slow.head()[0] == 200
        # It is free again once it was stopped in its writes.
        while (status := other.ask()[0]) == 429:
            pass
        grown = resident_mb(single.pid) - before
        size = last = 0
        while piece := slow.file.read1(1 << 20):
            size, last = size + len(piece), piece
    assert status == 200
    assert grown < 60
    assert size < 100 << 20
    assert not last.endswith(b"0\r\n\r\n")
