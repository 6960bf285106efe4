"""The metrics of AWS/SQS: what goes through each queue, and how much is in it each minute.

Source: SQS guide, "Available CloudWatch metrics for Amazon SQS".
"""

import logging
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from emberbox.clock import Clock
from emberbox.model.metrics import Dimension, SeriesKey
from emberbox.rounds import Paced, Trouble
from emberbox.services.sqs.broker import Broker
from emberbox.storage.queue_records import Queue, QueueKey

log = logging.getLogger("emberbox.sqs")

NAMESPACE: Final = "AWS/SQS"
_EVERY_S: Final = 60.0
_ACTIVE_S: Final = 6 * 3_600.0
_UNITS: Final = {"SentMessageSize": "Bytes", "ApproximateAgeOfOldestMessage": "Seconds"}

Add = Callable[[SeriesKey, float], None]


class QueueMetrics:
    """Counts for a broker. A queue is looked at while it was used within the last six hours."""

    def __init__(self, broker: Broker, add: Add, clock: Clock) -> None:
        self._broker = broker
        self._add = add
        self._clock = clock
        self._used: dict[int, tuple[float, Queue]] = {}
        self._looking = Paced(self.look, _EVERY_S, Trouble(log, "queues cannot be counted"))

    def open(self) -> None:
        """Begin to count."""
        self._broker.counted = self.counted
        self._looking.open()

    async def close(self) -> None:
        """Look no more."""
        await self._looking.close()

    def counted(self, queue: Queue, metric: str, value: float) -> None:
        """One value of now."""
        self._used[queue.id] = (self._clock.monotonic(), queue)
        self._add(_series(queue.key, metric), value)

    async def look(self) -> None:
        """How many messages each queue in use has now."""
        oldest = self._clock.monotonic() - _ACTIVE_S
        for used, queue in list(self._used.values()):
            now = self._broker.queues.get(queue.key)
            if used < oldest or now is None or now.id != queue.id:
                self._used.pop(queue.id, None)
                continue
            counts = await self._broker.counts(queue)
            for which, count in (
                ("Visible", counts.visible),
                ("NotVisible", counts.in_flight),
                ("Delayed", counts.delayed),
            ):
                self._add(_series(queue.key, f"ApproximateNumberOfMessages{which}"), count)
            age_s = await self._broker.oldest_s(queue)
            self._add(_series(queue.key, "ApproximateAgeOfOldestMessage"), age_s)
            if queue.settings.is_fifo:
                groups = await self._broker.groups_in_flight(queue)
                name = "ApproximateNumberOfGroupsWithInflightMessages"
                self._add(_series(queue.key, name), groups)


@lru_cache(8_192)
def _series(queue: QueueKey, metric: str) -> SeriesKey:
    unit = _UNITS.get(metric, "Count")
    dimensions = (Dimension("QueueName", queue.name),)
    return SeriesKey(queue.account, queue.region, NAMESPACE, metric, dimensions, unit)
