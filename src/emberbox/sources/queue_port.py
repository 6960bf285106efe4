"""What pollers need of queues, which are here or elsewhere."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from emberbox.model.queue_event import QueueMessage


class QueueFacts(NamedTuple):
    """What is to be known of a queue before it is polled."""

    visibility_s: int
    is_fifo: bool


class QueuePort(Protocol):
    """Queues by ARN. SourceMissingError if there is none, SourceError if it cannot be used now."""

    async def facts(self, arn: str) -> QueueFacts:
        """What is known of a queue."""
        ...

    async def receive(self, arn: str, limit: int, wait_s: float | None) -> list[QueueMessage]:
        """Up to `limit` messages once there is one, none if the time is over; None is no limit."""
        ...

    async def delete(self, arn: str, receipts: Sequence[str]) -> None:
        """Remove messages that were received."""
        ...

    async def release(self, arn: str, receipts: Sequence[str]) -> None:
        """Give messages back that were received and not used."""
        ...

    async def appears(self, arn: str) -> None:
        """Return when a queue that is missing may be there."""
        ...
