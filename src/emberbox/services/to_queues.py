"""How other services send to queues, on this server or elsewhere."""

from collections.abc import Mapping
from typing import Any, Protocol


class SendToQueue(Protocol):
    """Sends to the queue with this ARN; CallerError if it cannot take the message."""

    async def __call__(
        self,
        arn: str,
        body: str,
        attributes: Mapping[str, Mapping[str, Any]],
        *,
        group_id: str | None = None,
        deduplication_id: str | None = None,
        trace: str = "",
    ) -> None:
        """Return once the message is on disk there. `trace` goes on with it."""
        ...
