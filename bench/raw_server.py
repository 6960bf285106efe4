"""The simplest HTTP server that uvloop allows: `raw_server.py constant|hop` prints its port.

`constant` answers by itself. `hop` passes each body to one of two worker processes over a socket
pair; the worker parses it as JSON and writes it back, as a runtime must.
"""

import asyncio
import json
import os
import socket
import struct
import sys
from collections import deque
from typing import ClassVar, NoReturn, cast

import uvloop

_WORKERS = 2
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
_ANSWER = b'{"statusCode": 200, "body": "\\"hello\\""}'


def work(channel: socket.socket) -> NoReturn:
    """A worker process: length-prefixed JSON in, length-prefixed JSON out."""
    with channel.makefile("rwb") as stream:
        while head := stream.read(4):
            body = json.loads(stream.read(struct.unpack("=I", head)[0]))
            answer = json.dumps(body).encode() if body else _ANSWER
            stream.write(struct.pack("=I", len(answer)) + answer)
            stream.flush()
    os._exit(0)


class Worker(asyncio.Protocol):
    """The server's end of a worker: one request at a time, the others wait in line."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[Client, bytes]] = deque()
        self.busy: Client | None = None
        self.received = b""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def ask(self, client: "Client", body: bytes) -> None:
        if self.busy is None:
            self.busy = client
            self.transport.write(struct.pack("=I", len(body)) + body)
        else:
            self.waiting.append((client, body))

    def data_received(self, data: bytes) -> None:
        self.received += data
        if len(self.received) < 4:
            return
        (length,) = struct.unpack_from("=I", self.received)
        if len(self.received) < 4 + length:
            return
        answer, self.received = self.received[4 : 4 + length], b""
        client, self.busy = self.busy, None
        if self.waiting:
            self.ask(*self.waiting.popleft())
        if client is not None:
            client.answer(answer)


class Client(asyncio.Protocol):
    """A connection; the head is read just enough to find the body."""

    workers: ClassVar[list[Worker]] = []

    def __init__(self) -> None:
        self.received = b""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.received += data
        end = self.received.find(b"\r\n\r\n")
        if end < 0:
            return
        at = self.received.find(b"Content-Length: ") + 16
        length = int(self.received[at : self.received.index(b"\r", at)])
        if len(self.received) < end + 4 + length:
            return
        body, self.received = self.received[end + 4 :], b""
        if not self.workers:
            self.answer(_ANSWER)
        else:
            min(self.workers, key=lambda w: len(w.waiting) + (w.busy is not None)).ask(self, body)

    def answer(self, body: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(_HEAD % (len(body), body))


def start_workers() -> list[socket.socket]:
    """Fork the workers before there is an event loop; our ends of the channels."""
    channels = []
    for _ in range(_WORKERS):
        ours, theirs = socket.socketpair()
        if os.fork() == 0:
            ours.close()
            work(theirs)
        theirs.close()
        channels.append(ours)
    return channels


async def main(channels: list[socket.socket]) -> None:
    """Serve until terminated."""
    loop = asyncio.get_running_loop()
    for channel in channels:
        _, worker = await loop.create_connection(Worker, sock=channel)
        Client.workers.append(worker)
    server = await loop.create_server(Client, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


uvloop.run(main(start_workers() if sys.argv[1] == "hop" else []))
