"""Whether an execution role may do what a poller does in its name."""

from typing import Protocol


class Rights(Protocol):
    """Asks the policies of a role."""

    async def __call__(self, role: str, action: str, resource: str) -> bool:
        """Whether the role with this ARN may do `service:Action` to a resource."""
        ...
