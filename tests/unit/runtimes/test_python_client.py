"""What the Python runtime's client sends and takes on its connection."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

BOOTSTRAP = Path(__file__).parents[3] / "src/emberbox/runtimes/bootstrap/python"
PROGRAM = """
import socket, sys
sys.path.insert(0, sys.argv[1])
from emberbox_bootstrap.client import RuntimeClient

client = RuntimeClient("127.0.0.1:9001", sys.argv[2])
client._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
request = client.next()
name = "lambda-runtime-aws-request-id"
body = b"x" * int(request.body)
request = client.response_then_next(request.headers[name], "application/json", body)
print(request.headers[name])
"""
NEXT = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: 127.0.0.1:9001\r\n\r\n"


@contextmanager
def runtime() -> Iterator[tuple[socket.socket, "subprocess.Popen[str]"]]:
    """The platform's end of a runtime's connection, and the runtime."""
    name = f"emberbox-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"\0{name}")
        listening.listen()
        command = [sys.executable, "-c", PROGRAM, str(BOOTSTRAP), f"@{name}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            listening.settimeout(30)
            connection, _ = listening.accept()
            with connection:
                connection.settimeout(30)
                assert received(connection, len(NEXT)) == NEXT
                yield connection, process


def received(connection: socket.socket, size: int) -> bytes:
    """So many bytes."""
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        assert more, data
        data += more
    return data


def event(request_id: str, payload: bytes) -> bytes:
    """An invocation as the platform delivers it."""
    head = (
        f"HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: {request_id}\r\n"
        f"Content-Length: {len(payload)}\r\n\r\n"
    )
    return head.encode() + payload


def response(request_id: str, size: int) -> bytes:
    """What the runtime is to send: its response and its next request."""
    head = (
        f"POST /2018-06-01/runtime/invocation/{request_id}/response HTTP/1.1\r\n"
        f"Content-Type: application/json\r\nContent-Length: {size}\r\n\r\n"
    )
    return head.encode() + b"x" * size + NEXT


def test_a_response_larger_than_the_sockets_buffer_arrives_whole() -> None:
    """What does not fit at once is sent as room comes."""
    accepted = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
    expected = response("first", 60_000)
    with runtime() as (connection, process):
        connection.sendall(event("first", b"60000"))
        assert received(connection, len(expected)) == expected
        connection.sendall(accepted + event("second", b"{}"))
        assert process.communicate(timeout=30)[0] == "second\n"


@pytest.mark.parametrize(
    "accepted",
    [
        b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n"
        b'{"status":"OK"}\n',
        b"HTTP/1.1 202 Accepted\r\nX-Other: y\r\nContent-Length: 2\r\n\r\n{}",
    ],
)
def test_any_answer_to_a_response_is_understood(accepted: bytes) -> None:
    """That of this platform and others, in one piece with the next event or before it."""
    expected = response("first", 3)
    with runtime() as (connection, process):
        connection.sendall(event("first", b"3"))
        assert received(connection, len(expected)) == expected
        for part in (accepted[:20], accepted[20:], event("second", b"{}")):
            connection.sendall(part)
        assert process.communicate(timeout=30)[0] == "second\n"
