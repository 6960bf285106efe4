"""The service `logs`: its operations, by name, and what they answer when something is missing."""

from collections.abc import Mapping

from emberbox.clock import Clock
from emberbox.errors import CallerError
from emberbox.model.request import Operation, Params, Reply, RequestContext
from emberbox.services.logs.events import EventOperations
from emberbox.services.logs.groups import GroupOperations
from emberbox.services.logs.streams import StreamOperations
from emberbox.storage.log_records import (
    AlreadyThereError,
    MissingGroupError,
    MissingStreamError,
    ProtectedGroupError,
)
from emberbox.storage.logs import LogStore
from emberbox.telemetry.logs import LogSink


class LogsService:
    """CloudWatch Logs over the log store.

    Each operation waits until what functions have printed is stored, so that it is seen at once.
    """

    name = "logs"

    def __init__(self, store: LogStore, sink: LogSink, clock: Clock) -> None:
        self._sink = sink
        built = (
            GroupOperations(store, clock).operations
            | StreamOperations(store, clock).operations
            | EventOperations(store, clock).operations
        )
        self.operations: Mapping[str, Operation] = {
            name: self._answering(operation) for name, operation in built.items()
        }

    def _answering(self, operation: Operation) -> Operation:
        async def answered(context: RequestContext, params: Params) -> Params | Reply:
            await self._sink.flush()
            try:
                return await operation(context, params)
            except MissingGroupError:
                raise _missing("The specified log group does not exist.") from None
            except MissingStreamError:
                raise _missing("The specified log stream does not exist.") from None
            except AlreadyThereError as there:
                raise CallerError(
                    "ResourceAlreadyExistsException",
                    f"The specified log {there.kind} already exists",
                    status=400,
                ) from None
            except ProtectedGroupError:
                raise CallerError(
                    "ValidationException",
                    "The log group is protected against deletion. Disable its deletion "
                    "protection first.",
                    status=400,
                ) from None

        return answered


def _missing(message: str) -> CallerError:
    return CallerError("ResourceNotFoundException", message, status=400)
