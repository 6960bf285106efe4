"""The log of one environment: its processes' output and the platform's lines, in one order.

Output is read as it comes, and once more, to the end, before an invocation's last lines are
written, so that all a handler printed stands before its END line.
"""

import asyncio
import fcntl
import os
import sys
from collections.abc import Callable, Iterator
from itertools import takewhile
from termios import FIONREAD

from emberbox.clock import Clock
from emberbox.environment.output import OutputParser
from emberbox.model.limits import LOG_TAIL_BYTES
from emberbox.model.telemetry import EXTENSION, FUNCTION
from emberbox.telemetry.logs import LogStream

# A piece may be all line feeds, each an event: it must not hold up the others for long.
_READ = 8_192
_NO_BYTES = bytes(4)
_DRAIN_MAX = 131_072
_TAIL_KEEP = 16 * LOG_TAIL_BYTES


class _Output:
    """One descriptor that processes write to, read as it comes; `take` gets the events."""

    def __init__(
        self,
        descriptor: int,
        take: Callable[[list[bytes]], None],
        is_congested: Callable[[], bool],
    ) -> None:
        self.descriptor = descriptor
        self._take = take
        self._is_congested = is_congested
        self._parser = OutputParser()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(descriptor, self._on_output)
        self._open = True

    def _on_output(self) -> None:
        self._read(_READ)
        if self._is_congested():
            # The function's writes block once its pipe is full: it waits, the server does not grow.
            self._loop.remove_reader(self.descriptor)
            self._loop.call_later(0.05, self._resume)

    def _resume(self) -> None:
        if not self._open:
            return
        if self._is_congested():
            self._loop.call_later(0.05, self._resume)
            return
        self._loop.add_reader(self.descriptor, self._on_output)

    def drain(self) -> None:
        """Read all that has been written so far, an unfinished last line included.

        What a process that the handler left behind writes meanwhile is not waited for.
        """
        if self._open:
            waiting = min(_waiting_bytes(self.descriptor), _DRAIN_MAX)
            while waiting > 0:
                count = self._read(waiting)
                if not count:
                    break
                waiting -= count
        self._give(self._parser.rest())

    def _read(self, size: int) -> int:
        try:
            data = os.read(self.descriptor, size)
        except BlockingIOError:
            return 0
        if not data:
            self._loop.remove_reader(self.descriptor)
            return 0
        self._give(self._parser.feed(data))
        return len(data)

    def _give(self, events: Iterator[bytes]) -> None:
        """All at once: each by itself would cost a flood of short lines twice the time."""
        complete = list(events)
        if complete:
            self._take(complete)

    def close(self) -> None:
        """Read no more."""
        if self._open:
            self._open = False
            self._loop.remove_reader(self.descriptor)
            self._give(self._parser.rest())


class ConsoleLog:
    """Owns the reading of one sandbox's output descriptor until closed.

    `listener`, if there is one, hears of what functions and extensions print, line by line: who
    (`function` or `extension`) and what.
    """

    def __init__(
        self,
        descriptor: int,
        stream: LogStream,
        clock: Clock,
        is_congested: Callable[[], bool],
    ) -> None:
        self._stream = stream
        self._clock = clock
        self._is_congested = is_congested
        self._tail: bytearray | None = None
        self._function = _Output(descriptor, self._from_function, is_congested)
        self._extensions: _Output | None = None
        self._open = True
        self.listener: Callable[[str, bytes], None] | None = None

    def line(self, text: str) -> None:
        """A line of the platform."""
        self._events([text.encode("utf-8", "replace")])

    def lines(self, *texts: str) -> None:
        """Lines of the platform, of one moment."""
        self._events([text.encode("utf-8", "replace") for text in texts])

    def _from_function(self, messages: list[bytes]) -> None:
        self._events(messages)
        if self.listener is not None:
            for message in messages:
                self.listener(FUNCTION, message)

    def _from_extension(self, messages: list[bytes]) -> None:
        self._events(messages)
        if self.listener is not None:
            for message in messages:
                self.listener(EXTENSION, message)

    def _events(self, messages: list[bytes]) -> None:
        lines = [message + b"\n" for message in messages]
        self._stream.extend(int(self._clock.now() * 1000), lines)
        if self._tail is not None:
            self._tail += b"".join(lines)
            if len(self._tail) > _TAIL_KEEP:
                del self._tail[:-LOG_TAIL_BYTES]

    def begin(self, *, tail: bool) -> None:
        """An invocation begins; its tail is kept if asked for."""
        self._tail = bytearray() if tail else None

    def end(self) -> bytes | None:
        """The tail of the invocation that ends, if it was kept."""
        tail, self._tail = self._tail, None
        return _last(bytes(tail), LOG_TAIL_BYTES) if tail is not None else None

    def read_extensions(self, descriptor: int) -> None:
        """Read what extensions print from this descriptor too, which is owned from now on."""
        self.forget_extensions()
        if self._open:
            self._extensions = _Output(descriptor, self._from_extension, self._is_congested)
        else:
            os.close(descriptor)

    def forget_extensions(self) -> None:
        """Their processes are gone."""
        output, self._extensions = self._extensions, None
        if output is not None:
            output.drain()
            output.close()
            os.close(output.descriptor)

    def drain(self) -> None:
        """Read all that has been written so far, see `_Output.drain`."""
        self._function.drain()
        if self._extensions is not None:
            self._extensions.drain()

    def close(self) -> None:
        """Read no more."""
        if self._open:
            self._open = False
            self._function.close()
            self.forget_extensions()
            self._stream.close()


def _waiting_bytes(descriptor: int) -> int:
    """What the pipe holds; cheaper than to read and be told that it is empty."""
    return int.from_bytes(fcntl.ioctl(descriptor, FIONREAD, _NO_BYTES), sys.byteorder)


def _last(text: bytes, size: int) -> bytes:
    """At most that many bytes from the end; a character that would be cut is left out."""
    start = max(0, len(text) - size)
    ahead = text[start : start + 3] if start else b""
    return text[start + sum(1 for _ in takewhile(lambda byte: byte & 0xC0 == 0x80, ahead)) :]
