"""One HTTP connection of a command: a request, its whole answer, and the next.

The standard library's client is half of what a quick command takes to start, for the sake of mail.
"""

import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult

import httptools

_PIECE = 262_144


class Connection:
    """Connects at once; OSError if the server is out of reach, or breaks an answer off."""

    def __init__(self, address: SplitResult, timeout_s: float) -> None:
        port = address.port or (443 if address.scheme == "https" else 80)
        # A name as a text would be read as one of any language, and the tables for that be loaded.
        host = address.hostname or ""
        place: Any = (host.encode() if host.isascii() else host, port)
        self._socket = socket.create_connection(place, timeout_s)
        if address.scheme == "https":
            import ssl

            context = ssl.create_default_context()
            self._socket = context.wrap_socket(self._socket, server_hostname=address.hostname)
        self.is_over = False

    def ask(self, request: bytes) -> tuple[int, Mapping[str, str], bytes]:
        """Send a request; status, headers by their names in lower case, and body of its answer."""
        reading = _Reading()
        try:
            self._socket.sendall(request)
            while not reading.is_whole:
                data = self._socket.recv(_PIECE)
                if not data:
                    raise ConnectionError("the server has closed the connection")
                reading.feed(data)
        except OSError:
            self.close()
            raise
        if not reading.stays:
            self.close()
        return reading.status, reading.headers, b"".join(reading.body)

    def close(self) -> None:
        """Let go of it."""
        self.is_over = True
        self._socket.close()


class _Reading:
    """One answer, as the parser finds it."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.headers: dict[str, str] = {}
        self.body: list[bytes] = []
        self.is_whole = False
        self.status = 0
        self.stays = True

    def feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise ConnectionError(f"what answers does not speak HTTP: {error}") from None

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, data: bytes) -> None:
        self.body.append(data)

    def on_message_complete(self) -> None:
        # What only announces the answer (100 Continue) is none.
        status = self._parser.get_status_code()
        if status >= 200:
            self.status, self.is_whole = status, True
            self.stays = self._parser.should_keep_alive()
