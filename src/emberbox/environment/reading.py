"""Whether a connection is read at the moment."""

import asyncio

# libuv reads a connection on and on, up to 32 times, while each read is full.
_FULL_READ = 200_000


class Reading:
    """A connection is read unless there is a reason not to; there may be several."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._reasons: set[str] = set()

    def begin(self, transport: asyncio.Transport | None) -> None:
        """There is a connection."""
        self._transport = transport

    def end(self) -> None:
        """There is none any more."""
        self._transport = None

    def pause(self, reason: str) -> None:
        """Read no more, until `resume` with that reason."""
        if not self._reasons and self._transport is not None:
            self._transport.pause_reading()
        self._reasons.add(reason)

    def resume(self, reason: str) -> None:
        """The reason is gone."""
        if reason not in self._reasons:
            return
        self._reasons.discard(reason)
        transport = self._transport
        if not self._reasons and transport is not None and not transport.is_closing():
            transport.resume_reading()

    def let_others(self, size: int) -> None:
        """So much has been read: if there may be as much again, others have their turn first."""
        if size >= _FULL_READ and self._transport is not None:
            self.pause("turn")
            asyncio.get_running_loop().call_soon(self.resume, "turn")
