"""Delivery of log events to functions: what subscription filters are for."""

import logging
from collections.abc import Callable
from typing import Protocol

from emberbox.errors import CallerError
from emberbox.model.log_subscription import Event, lambda_events
from emberbox.model.metrics import SeriesKey, sorted_dimensions
from emberbox.records import dataclass
from emberbox.services.logs.naming import group_arn
from emberbox.storage.log_filters import Batch, Kind, LogFilter, LogFilterStore
from emberbox.storage.log_records import GroupKey
from emberbox.telemetry.metrics import MetricSink

log = logging.getLogger("emberbox.logs")


class InvokeAsync(Protocol):
    """Queues an event for the function with this ARN; CallerError if there is none."""

    async def __call__(self, arn: str, payload: bytes) -> object:
        """Return once the event is on disk."""
        ...


@dataclass(frozen=True, slots=True)
class Functions:
    """What is known of the functions that log events go to.

    `may` answers whether the function's policy lets a log group (by its ARN, ending in `:*`) invoke
    it. `writes_to` is the group that a function logs to, None if there is no function.
    `may_loop` says that its owner has allowed it to be invoked in a loop.
    """

    send: InvokeAsync
    may: Callable[[str, str], bool]
    writes_to: Callable[[str], GroupKey | None]
    may_loop: Callable[[str], bool]


def closes_loop(
    store: LogFilterStore, functions: Functions, group: GroupKey, function_arn: str
) -> bool:
    """Whether events of a group, sent to a function, would come back as events of that group.

    A function's own log events would invoke it for ever, each invocation writing some more.
    Functions that are allowed to loop are not followed.
    """
    by_group: dict[GroupKey, list[str]] = {}
    for each in store.all():
        if each.kind is Kind.SUBSCRIPTION:
            by_group.setdefault(each.group, []).append(each.settings["destinationArn"])
    seen: set[str] = set()
    waiting = [function_arn]
    while waiting:
        arn = waiting.pop()
        written = functions.writes_to(arn)
        if arn in seen or written is None or functions.may_loop(arn):
            continue
        if written == group:
            return True
        seen.add(arn)
        waiting += by_group.get(written, ())
    return False


class Subscriber:
    """Sends what matches a subscription filter to its function's own asynchronous queue.

    What the function cannot be sent is dropped and counted, as on AWS: when it is gone, when its
    policy does not let the group invoke it, when it would read its own log.
    """

    def __init__(self, functions: Functions, metrics: MetricSink) -> None:
        self._functions = functions
        self._metrics = metrics
        self._warned: set[int] = set()

    async def take(self, made: LogFilter, batch: Batch) -> None:
        """Return once all of the batch is in the queue, or dropped."""
        by_stream: dict[str, list[Event]] = {}
        for event in batch.matched:
            one = (event.cut.text, event.timestamp_ms, event.message)
            by_stream.setdefault(event.stream or "", []).append(one)
        try:
            for stream, events in by_stream.items():
                await self._send(made, stream, events)
        except CallerError as error:
            self._count(made, "DeliveryErrors", 1, "Count")
            if made.id not in self._warned:
                self._warned.add(made.id)
                log.warning("the log filter %s drops events: %s", made.name, error)
        else:
            self._warned.discard(made.id)

    async def _send(self, made: LogFilter, stream: str, events: list[Event]) -> None:
        arn = made.settings["destinationArn"]
        self._check(made, arn)
        owner, _, group = made.group
        for payload in lambda_events(owner, group, stream, made.name, events):
            await self._functions.send(arn, payload)
            self._count(made, "ForwardedBytes", len(payload), "Bytes")
        self._count(made, "ForwardedLogEvents", len(events), "Count")

    def _check(self, made: LogFilter, arn: str) -> None:
        if not self._functions.may(f"{group_arn(made.group)}:*", arn):
            raise CallerError(
                "AccessDeniedException", f"the policy of {arn} does not let logs invoke it"
            )
        if self._functions.writes_to(arn) == made.group and not self._functions.may_loop(arn):
            raise CallerError("InvalidParameterException", f"{arn} writes to this log group")

    def _count(self, made: LogFilter, metric: str, value: float, unit: str) -> None:
        account, region, group = made.group
        dimensions = {"LogGroupName": group, "DestinationType": "Lambda", "FilterName": made.name}
        key = SeriesKey(account, region, "AWS/Logs", metric, sorted_dimensions(dimensions), unit)
        self._metrics.add(key, value)
