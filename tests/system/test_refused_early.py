"""What a head alone shows to be wrong is refused before the body comes."""

import socket

import pytest


def exchange(url, head, body=b""):
    """Send a head and perhaps a body; everything that comes back until the server closes."""
    host, _, port = url.rpartition("://")[2].partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
        if not body:
            return connection.recv(65536)
        said = b""
        while piece := connection.recv(65536):
            said += piece
        return said


def invoke_head(length, *lines):
    return "\n".join(
        [
            "POST /2015-03-31/functions/f/invocations HTTP/1.1",
            "Host: 127.0.0.1",
            f"Content-Length: {length}",
            *lines,
        ]
    )


def test_a_payload_that_is_announced_too_large_is_not_waited_for(server):
    """The answer comes although not a byte of the body has."""
    said = exchange(server.url, invoke_head(7_000_000))

    assert said.startswith(b"HTTP/1.1 413 ")
    assert b"7000000 byte payload is too large for the RequestResponse invocation type" in said
    assert b"(limit 6291456 bytes)" in said


def test_a_client_that_sends_it_all_the_same_can_read_the_answer(server):
    """The body is read and dropped, then the connection ends."""
    said = exchange(server.url, invoke_head(7_000_000), b"x" * 7_000_000)

    assert said.startswith(b"HTTP/1.1 413 ")
    assert said.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    "path", ["/2015-03-31/functions/f/invocations", "/2015-03-31/functions", "/"]
)
def test_pages_of_other_sites_are_refused(server, path):
    """A browser on the user's machine cannot be made to invoke functions by a page."""
    head = f"POST {path} HTTP/1.1\nHost: 127.0.0.1\nOrigin: https://example.com\nContent-Length: 2"

    said = (
        exchange(server.url, head, b"{}")
        if "invocations" in path
        else exchange(server.url, head + "\nConnection: close", b"{}")
    )

    assert said.startswith(b"HTTP/1.1 403 ")
    assert b"pages of other sites" in said
