"""X-Ray's daemon as functions see it: a port for datagrams inside their sandbox.

What a function sends is read as it comes and bounded: no more of it in a second than the server can
well bear, the rest is lost as datagrams are. Source: "AWS X-Ray segment documents", "Sending
segment documents to the X-Ray daemon".
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Final

from emberbox.model.xray.segments import BadSegmentError, Segment, read_datagram

log = logging.getLogger("emberbox.traces")

_DATAGRAM_MAX: Final = 65_535
_AT_ONCE: Final = 8
_AT_END: Final = 256
_BYTES_PER_S: Final = 2 << 20
_COUNT_PER_S: Final = 500


class DaemonPort:
    """Reads one sandbox's socket until closed; `heard` gets each segment."""

    def __init__(self, port: socket.socket, heard: Callable[[Segment], None]) -> None:
        self._port = port
        self._heard = heard
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(port, self._on_readable)
        self._resting: asyncio.TimerHandle | None = None
        self._since = self._loop.time()
        self._count = 0
        self._bytes = 0

    def close(self) -> None:
        """Read what has come, and no more."""
        self._rest_no_more()
        self._loop.remove_reader(self._port)
        self._read(_AT_END)

    def _on_readable(self) -> None:
        self._read(_AT_ONCE)
        now = self._loop.time()
        if now - self._since >= 1:
            self._since, self._count, self._bytes = now, 0, 0
        elif self._count > _COUNT_PER_S or self._bytes > _BYTES_PER_S:
            self._loop.remove_reader(self._port)
            self._resting = self._loop.call_later(1 - (now - self._since), self._resume)

    def _resume(self) -> None:
        self._rest_no_more()
        self._loop.add_reader(self._port, self._on_readable)

    def _rest_no_more(self) -> None:
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None

    def _read(self, most: int) -> None:
        for _ in range(most):
            try:
                data = self._port.recv(_DATAGRAM_MAX)
            except OSError:
                return
            self._count += 1
            self._bytes += len(data)
            try:
                segment = read_datagram(data)
            except BadSegmentError as error:
                log.debug("a function has sent what is no segment: %s", error)
                continue
            self._heard(segment)
