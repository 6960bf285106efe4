"""Web servers that topics deliver to, and those that they do not."""

import asyncio
import socket
import threading
from contextlib import suppress

import pytest

from emberbox.errors import CallerError
from emberbox.services.sns.web import WebPoster
from emberbox.services.targets.web import WebCaller
from emberbox.services.targets.web_requests import is_public


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("::ffff:127.0.0.1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("64:ff9b::808:808", True),
        ("2002:7f00:1::", False),
        ("::7f00:1", False),
    ],
)
def test_addresses_of_this_machine_and_of_private_networks_are_not_public(address, public):
    """Written in whatever way."""
    assert is_public(address) is public


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "127.1"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_nothing_is_posted_to_this_machine(host, scheme):
    """Whatever it is called; it is refused for good, and the answer names the setting."""
    post = WebPoster(everywhere=False)
    with pytest.raises(CallerError, match="--sns-local-web"):
        await post(f"{scheme}://{host}:9/", b"", {})


async def test_an_answer_that_drips_has_an_end():
    """A server that sends a byte now and then holds a call no longer than the call may take."""
    is_over, is_closed = asyncio.Event(), asyncio.Event()

    async def drip(_reader, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        with suppress(ConnectionError):
            while not is_over.is_set():
                writer.write(b"x")
                await writer.drain()
                with suppress(TimeoutError):
                    await asyncio.wait_for(is_over.wait(), 0.05)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        is_closed.set()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(OSError, match="time"):
        await WebCaller(everywhere=True)("GET", f"http://127.0.0.1:{port}/", None, {}, 0.3)
    is_over.set()
    await is_closed.wait()
    server.close()
    await server.wait_closed()


async def test_a_host_of_many_addresses_gets_no_more_time_than_others(monkeypatch):
    """Whoever owns the name chooses how many there are, and that none of them answers."""
    tried = []

    def silent(place, timeout_s):
        tried.append(place)
        threading.Event().wait(timeout_s)
        raise TimeoutError("timed out")

    places = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"8.8.8.{n}", 80)) for n in range(50)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: places)
    monkeypatch.setattr(socket, "create_connection", silent)

    with pytest.raises(OSError, match="timed out"):
        await WebCaller(everywhere=False)("GET", "http://many.example/", None, {}, 0.5)

    assert 1 <= len(tried) <= 3
