"""HTTP client of the Runtime API, version 2018-06-01, on one kept connection.

The answer to an invocation and the request for the next one leave in a single write: between two
invocations the process sleeps once.

It sleeps in `poll`, not in `recv`: the kernel wakes a reader that blocks in a Unix socket each time
the other side has read something, a process switch for nothing in every invocation. `poll` hears
only of what has come. A socket with a time limit does that by itself.
"""

import os
import socket

from emberbox_bootstrap.wire_json import failure_to_json

_BASE = "/2018-06-01/runtime/"
_CHUNK = 65536
_SNAPSHOT_MAX = 512
_PATIENCE_S = 1000000.0
_ACCEPTED = (
    b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n"
    b'{"status":"OK"}\n'
)


class Request:
    """One invocation as the Runtime API delivered it: lower-case header names, raw body."""

    __slots__ = ("body", "headers")

    def __init__(self, headers, body):
        self.headers = headers
        self.body = body


class RuntimeApiError(RuntimeError):
    """The Runtime API answered what a runtime cannot go on from."""


class RuntimeClient:
    """Speaks to `host:port` as given by AWS_LAMBDA_RUNTIME_API.

    Where the platform offers the same API on an abstract Unix socket (`@name`), it is taken: a
    round trip costs a third less.
    """

    def __init__(self, address, unix_name=None):
        if unix_name:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._socket.connect("\0" + unix_name[1:])
        else:
            host, _, port = address.partition(":")
            # Not create_connection: its name look-up imports the IDNA tables, 8 ms of a cold start.
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            self._socket.connect((host, int(port or 80)))
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.settimeout(_PATIENCE_S)
        self._buffer = b""
        self._address = address
        self._next = (
            "GET %sinvocation/next HTTP/1.1\r\nHost: %s\r\n\r\n" % (_BASE, address)
        ).encode()

    def next(self):
        """Wait for an invocation."""
        self._socket.sendall(self._next)
        return self._receive_next()

    def response_then_next(self, request_id, content_type, body):
        """Answer an invocation and wait for the next."""
        head = (
            "POST %sinvocation/%s/response HTTP/1.1\r\n"
            "Content-Type: %s\r\nContent-Length: %d\r\n\r\n"
            % (
                _BASE,
                request_id,
                content_type,
                len(body),
            )
        )
        self._send(head.encode(), body)
        self._receive_accepted()
        return self._receive_next()

    def stream_then_next(self, request_id, content_type, chunks):
        """Answer an invocation piece by piece, as the pieces come, and wait for the next."""
        head = (
            "POST %sinvocation/%s/response HTTP/1.1\r\nContent-Type: %s\r\n"
            "Lambda-Runtime-Function-Response-Mode: streaming\r\n"
            "Transfer-Encoding: chunked\r\n"
            "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n"
            "\r\n" % (_BASE, request_id, content_type)
        ).encode()
        for chunk in chunks:
            self._socket.sendall(head + chunk)
            head = b""
        self._socket.sendall(self._next)
        self._receive()
        return self._receive_next()

    def error_then_next(self, request_id, failure):
        """Report a failed invocation and wait for the next."""
        self._send(*self._failure("invocation/%s/error" % request_id, failure))
        self._receive()
        return self._receive_next()

    def init_error(self, failure):
        """Report that the function cannot be initialised; the platform may end us at once."""
        self._report("init/error", failure)

    def restore_next(self, snapshot=""):
        """Wait for the environment to be restored from a snapshot; say how that stands."""
        head = "GET %srestore/next HTTP/1.1\r\nHost: %s\r\n" % (_BASE, self._address)
        if snapshot:
            text = "".join(c if 32 <= ord(c) < 127 else "?" for c in snapshot[:_SNAPSHOT_MAX])
            head += "Emberbox-Snapshot: %s\r\n" % text
        self._socket.sendall((head + "\r\n").encode())
        status, _, body = self._receive()
        if status != 200:
            raise RuntimeApiError("restore/next answered %d: %r" % (status, body[:200]))

    def restore_error(self, failure):
        """Report that a hook failed after the environment was restored."""
        self._report("restore/error", failure)

    def close(self):
        """End the connection."""
        self._socket.close()

    def _report(self, path, failure):
        head, body = self._failure(path, failure)
        try:
            self._socket.sendall(head + body)
            self._receive()
        except (OSError, RuntimeApiError):
            pass

    def _failure(self, path, failure):
        body = failure_to_json(failure.payload)
        head = (
            "POST %s%s HTTP/1.1\r\nContent-Type: application/json\r\n"
            "Lambda-Runtime-Function-Error-Type: %s\r\nContent-Length: %d\r\n\r\n"
            % (_BASE, path, failure.wire_type, len(body))
        )
        return head.encode("ascii", "replace"), body

    def _send(self, head, body):
        if len(body) <= _CHUNK:
            self._send_small(head + body + self._next)
        else:
            self._socket.sendall(head)
            self._socket.sendall(body)
            self._socket.sendall(self._next)

    def _send_small(self, data):
        """A socket with a time limit asks `poll` before each write; mostly there is room."""
        try:
            sent = os.write(self._socket.fileno(), data)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            self._socket.sendall(data[sent:])

    def _receive_accepted(self):
        """What answers nearly every response is known, and not worth taking to pieces."""
        if not self._buffer:
            self._buffer = self._wait_for(_CHUNK)
        if self._buffer.startswith(_ACCEPTED):
            self._buffer = self._buffer[len(_ACCEPTED) :]
        else:
            self._receive()

    def _receive_next(self):
        status, headers, body = self._receive()
        if status != 200:
            raise RuntimeApiError("next answered %d: %r" % (status, body[:200]))
        return Request(headers, body)

    def _receive(self):
        buffer = self._buffer
        end = buffer.find(b"\r\n\r\n")
        while end < 0:
            more = self._wait_for(_CHUNK)
            if not more:
                raise RuntimeApiError("the Runtime API closed the connection")
            buffer += more
            end = buffer.find(b"\r\n\r\n")
        lines = buffer[:end].decode("latin-1").split("\r\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        length = int(headers.get("content-length", "0"))
        body, missing = buffer[end + 4 :], length - (len(buffer) - end - 4)
        if missing > 0:
            body = self._receive_rest(body, missing)
        self._buffer = body[length:]
        return int(lines[0][9:12]), headers, body[:length]

    def _wait_for(self, size):
        while True:
            try:
                return self._socket.recv(size)
            except socket.timeout:  # the name that Python 3.9 knows
                continue

    def _receive_rest(self, start, missing):
        parts = [start]
        while missing > 0:
            more = self._wait_for(min(missing, 1 << 20))
            if not more:
                raise RuntimeApiError("the Runtime API closed the connection")
            parts.append(more)
            missing -= len(more)
        return b"".join(parts)
