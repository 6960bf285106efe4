"""What is looked at before a queue becomes the source of a function.

The texts are those of the service.
"""

from typing import Final

from emberbox.errors import CallerError
from emberbox.model.configuration import invalid
from emberbox.model.function import FunctionVersion
from emberbox.model.mapping import EventSourceMapping
from emberbox.sources.feed import SourceError, SourceMissingError
from emberbox.sources.queue_port import QueuePort
from emberbox.sources.rights import Rights

ACTIONS: Final = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")


class QueueCheck:
    """Refuses a mapping whose queue is missing, or not fit for the function."""

    def __init__(self, port: QueuePort, rights: Rights) -> None:
        self._port = port
        self._rights = rights

    async def __call__(self, mapping: EventSourceMapping, function: FunctionVersion) -> None:
        """CallerError unless the function can be fed from the queue."""
        arn = mapping.source_arn
        assert arn is not None
        for action in ACTIONS:
            if not await self._rights(function.role, f"sqs:{action}", arn):
                raise invalid(
                    f"The provided execution role does not have permissions to call {action} on SQS"
                )
        try:
            facts = await self._port.facts(arn)
        except SourceMissingError:
            raise _missing() from None
        except SourceError as error:
            raise invalid(f"Error occurred while ReceiveMessage. {error}") from None
        if facts.visibility_s < function.timeout_s:
            raise invalid(
                f"Queue visibility timeout: {facts.visibility_s} seconds is less than Function "
                f"timeout: {function.timeout_s:.0f} seconds"
            )


def _missing() -> CallerError:
    return invalid(
        "Error occurred while ReceiveMessage. SQS Error Code: "
        "AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does not "
        "exist for this wsdl version."
    )
