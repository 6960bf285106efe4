"""Runs the actions of alarms: topics and functions."""

from collections.abc import Awaitable, Callable
from typing import Any

from emberbox.errors import CallerError

Tell = Callable[[str, dict[str, Any]], Awaitable[None]]
"""(ARN, message): brings it there; CallerError if that cannot be."""


class Actions:
    """Whom alarms can tell, by the service that the ARN of an action names.

    `topics` and `functions` are what the server has; None for what it has not.
    """

    def __init__(self, topics: Tell | None = None, functions: Tell | None = None) -> None:
        self.topics = topics
        self.functions = functions

    async def __call__(self, arn: str, message: dict[str, Any], event: dict[str, Any]) -> None:
        """Run one action: a topic gets the message, a function the event."""
        parts = arn.split(":")
        kind = parts[2] if len(parts) > 5 else ""
        if kind == "sns" and self.topics is not None:
            await self.topics(arn, message)
        elif kind == "lambda" and self.functions is not None:
            await self.functions(arn, event)
        else:
            raise CallerError(
                "InvalidParameterValueException",
                f"Emberbox runs no actions of the kind {kind or 'that this ARN names'}",
            )
