"""The service `logs`: its operations, by name, and what they answer when something is missing."""

from collections.abc import Mapping

from emberbox.clock import Clock
from emberbox.errors import CallerError
from emberbox.model.request import Operation, Params, Reply, RequestContext
from emberbox.services.logs.definitions import DefinitionOperations
from emberbox.services.logs.events import EventOperations
from emberbox.services.logs.exporting import Exporter
from emberbox.services.logs.exports import ExportOperations
from emberbox.services.logs.fields import FieldOperations
from emberbox.services.logs.following import Following
from emberbox.services.logs.groups import GroupOperations
from emberbox.services.logs.listing import ListOperations
from emberbox.services.logs.live_tail import LiveTail
from emberbox.services.logs.measuring import Measurer
from emberbox.services.logs.metric_filters import MetricFilterOperations
from emberbox.services.logs.queries import QueryOperations
from emberbox.services.logs.streams import StreamOperations
from emberbox.services.logs.subscribing import Functions, Subscriber
from emberbox.services.logs.subscriptions import SubscriptionOperations
from emberbox.storage.log_filters import Kind, LogFilterStore, MissingFilterError
from emberbox.storage.log_records import (
    AlreadyThereError,
    MissingGroupError,
    MissingStreamError,
    ProtectedGroupError,
)
from emberbox.storage.logs import LogStore
from emberbox.telemetry.logs import LogSink
from emberbox.telemetry.metrics import MetricSink


class LogsService:
    """CloudWatch Logs over the log store.

    Each operation waits until what functions have printed is stored, so that it is seen at once.
    """

    name = "logs"

    def __init__(
        self, store: LogStore, filters: LogFilterStore, sink: LogSink, clock: Clock
    ) -> None:
        self._sink = sink
        self._filters = filters
        self._subscriptions = SubscriptionOperations(store, filters, clock)
        self._metric_filters = MetricFilterOperations(store, filters, clock)
        queries = QueryOperations(store, clock)
        self.querying = queries.querying
        self.exporter = Exporter(store, clock)
        self._definitions = DefinitionOperations(store, clock)
        built = (
            GroupOperations(store, filters, clock).operations
            | ListOperations(store).operations
            | self._subscriptions.operations
            | self._metric_filters.operations
            | queries.operations
            | self._definitions.operations
            | FieldOperations(store, clock).operations
            | ExportOperations(store, self.exporter, clock).operations
            | LiveTail(store, filters, clock).operations
            | StreamOperations(store, clock).operations
            | EventOperations(store, clock).operations
        )
        self.operations: Mapping[str, Operation] = {
            name: self._answering(operation) for name, operation in built.items()
        }

    async def load(self) -> None:
        """Read what is kept beside groups and events."""
        await self._definitions.shelf.load()
        await self.exporter.shelf.load()

    def follow(self, functions: Functions, metrics: MetricSink) -> Following:
        """Begin to send functions and metrics what the filters of groups let through."""
        following = Following(
            self._filters,
            {
                Kind.SUBSCRIPTION: Subscriber(functions, metrics).take,
                Kind.METRIC: Measurer(metrics).take,
            },
        )
        self._subscriptions.functions = functions
        self._subscriptions.following = self._metric_filters.following = following
        following.open()
        return following

    async def close(self) -> None:
        """End the queries that run, and stop exports."""
        await self.exporter.close()
        await self.querying.close()

    def _answering(self, operation: Operation) -> Operation:
        async def answered(context: RequestContext, params: Params) -> Params | Reply:
            await self._sink.flush()
            try:
                return await operation(context, params)
            except MissingGroupError:
                raise _missing("The specified log group does not exist.") from None
            except MissingStreamError:
                raise _missing("The specified log stream does not exist.") from None
            except MissingFilterError:
                raise _missing("The specified filter does not exist.") from None
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
