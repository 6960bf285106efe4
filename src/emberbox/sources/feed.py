"""What the one loop of all mappings needs of a source: the next batch, and what becomes of it."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class SourceError(Exception):
    """A source cannot be read now; the text is for `LastProcessingResult`."""


class SourceMissingError(SourceError):
    """The source is not there."""


class Record(NamedTuple):
    """One record of a batch: the name that failures are reported by, what the source knows it by,
    its JSON, and the X-Amzn-Trace-Id that it came with."""

    identifier: str
    handle: str
    content: bytes
    trace: str = ""


class Batch(NamedTuple):
    """Records for one invocation, and the monotonic time until which they are ours."""

    records: Sequence[Record]
    deadline: float


class Verdict(NamedTuple):
    """What came of a batch: the identifiers that have failed, None if all of it has."""

    failed: frozenset[str] | None


class Feed(Protocol):
    """The records of one source for one mapping.

    Queues return what is not settled after their visibility timeout; a stream's feed gives it out
    again by itself.
    """

    async def next(self) -> Sequence[Batch]:
        """The next records, filtered, once there are any: batches to be run one after another.

        SourceError if the source cannot be read.
        """
        ...

    async def settle(self, batch: Batch, verdict: Verdict) -> None:
        """Take note of what came of a batch."""
        ...

    async def recovered(self) -> None:
        """Return when a source that could not be read may be worth another try."""
        ...

    def event(self, batch: Batch) -> bytes:
        """The event of a batch."""
        ...
