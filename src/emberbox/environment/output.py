"""Turns what a sandbox writes to its outputs into log events.

One channel carries plain lines (standard output and error of all processes) and framed records
(the runtime's logger; AWS's frame format: type, length, microseconds, text). A record stays whole
however many lines it has. The text is the customer's: it is bounded and never trusted.
"""

import struct
from collections.abc import Iterator

from emberbox.model.limits import LOG_LINE_MAX_BYTES

_FRAME = b"\xa5\x5a\x00"
_HEADER = struct.Struct(">IIQ")
_HEADER_SIZE = _HEADER.size


class OutputParser:
    """Incremental: `feed` what was read, get complete events; `rest` gives an unfinished line."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The events that are complete now, oldest first, without their line ends."""
        buffer = self._buffer + data if self._buffer else data
        if _FRAME not in buffer:
            # Nothing but lines: split at once, or a flood of line feeds would cost seconds.
            *lines, self._buffer = buffer.split(b"\n")
            for line in lines:
                yield from _split(line.rstrip(b"\r"))
            while len(self._buffer) >= LOG_LINE_MAX_BYTES:
                yield self._buffer[:LOG_LINE_MAX_BYTES].rstrip(b"\r")
                self._buffer = self._buffer[LOG_LINE_MAX_BYTES:]
            return
        position = 0
        while position < len(buffer):
            if buffer.startswith(_FRAME, position):
                after = self._frame_end(buffer, position)
                if after < 0:
                    break
                yield from _split(buffer[position + _HEADER_SIZE : after].rstrip(b"\n"))
                position = after
                continue
            stop = _line_stop(buffer, position)
            if stop < 0:
                if len(buffer) - position < LOG_LINE_MAX_BYTES:
                    break
                stop = position + LOG_LINE_MAX_BYTES
            yield from _split(buffer[position:stop].rstrip(b"\r"))
            position = stop + 1 if buffer[stop : stop + 1] == b"\n" else stop
        self._buffer = buffer[position:]

    def rest(self) -> Iterator[bytes]:
        """What has no line end yet, given out as it is."""
        buffer, self._buffer = self._buffer, b""
        if buffer and not buffer.startswith(_FRAME):
            yield from _split(buffer)

    @staticmethod
    def _frame_end(buffer: bytes, position: int) -> int:
        """Where the frame ends; -1 if it is incomplete. An absurd length is cut to the limit."""
        if len(buffer) - position < _HEADER_SIZE:
            return -1
        _, length, _ = _HEADER.unpack_from(buffer, position)
        end = position + _HEADER_SIZE + int(min(length, 4 * LOG_LINE_MAX_BYTES))
        return end if end <= len(buffer) else -1


def _line_stop(buffer: bytes, position: int) -> int:
    """The end of a plain line: its line feed, or a frame that follows it directly."""
    newline = buffer.find(b"\n", position)
    frame = buffer.find(_FRAME, position, newline if newline >= 0 else len(buffer))
    return frame if frame > position else newline


def _split(text: bytes) -> Iterator[bytes]:
    if len(text) <= LOG_LINE_MAX_BYTES:
        yield text
        return
    for start in range(0, len(text), LOG_LINE_MAX_BYTES):
        yield text[start : start + LOG_LINE_MAX_BYTES]
