"""Turns lines in the embedded metric format, as functions print them, into metrics.

Points wait in memory until metrics are written. How much is read between two writes is bounded:
what is above is logged as any line, and makes no metrics.
"""

import logging

from emberbox.clock import Clock
from emberbox.model.embedded_metrics import FormatError, TargetError, read
from emberbox.model.log_events import StreamKey
from emberbox.model.metrics import Dimension, Point, SeriesKey
from emberbox.telemetry.metrics import MetricSink

log = logging.getLogger("emberbox.metrics")

_BYTES_MAX = 4 << 20
_FOLD = 16
_POINTS_MAX = 10_000
_VALUES_MAX = 50_000
_ERRORS = {FormatError: "EMFParsingErrors", TargetError: "EMFValidationErrors"}


class EmbeddedMetrics:
    """See the module. `heard` is given each line that may be of the format."""

    def __init__(self, sink: MetricSink, clock: Clock) -> None:
        self._sink = sink
        self._clock = clock
        self._points: dict[tuple[SeriesKey, int], Point] = {}
        self._waiting: list[tuple[StreamKey, bytes]] = []
        self._heard_bytes = 0
        self._values = 0
        self._dropped = 0
        self._failure: Exception | None = None
        sink.before_flush.append(self._give)

    def heard(self, stream: StreamKey, line: bytes) -> None:
        """A line was logged."""
        if self._heard_bytes + len(line) > _BYTES_MAX:
            self._dropped += 1
            return
        self._waiting.append((stream, line))
        self._heard_bytes += len(line)
        if len(self._waiting) >= _FOLD:
            # A few at a time: many at once would hold up the others.
            self._fold()

    def _fold(self) -> None:
        waiting, self._waiting = self._waiting, []
        for stream, line in waiting:
            try:
                self._take(stream, line)
            except (FormatError, TargetError) as error:
                self._count_error(stream, _ERRORS[type(error)])
            except Exception as error:  # noqa: BLE001 - a printed line must not end those who log
                self._failure = error

    def _give(self) -> None:
        self._fold()
        self._heard_bytes = self._values = 0
        points, self._points = self._points, {}
        for (key, at_s), point in points.items():
            self._sink.merge(key, at_s, point)
        if self._dropped:
            log.warning("%d lines of embedded metrics were too many at once", self._dropped)
            self._dropped = 0
        if self._failure is not None:
            log.error("a line of embedded metrics could not be taken", exc_info=self._failure)
            self._failure = None

    def _take(self, stream: StreamKey, line: bytes) -> None:
        if self._values >= _VALUES_MAX:
            self._dropped += 1
            return
        for datum in read(line, self._clock.now()):
            self._values += len(datum.values)
            dimensions = tuple(Dimension(*pair) for pair in datum.dimensions)
            place = (stream.account, stream.region, datum.namespace, datum.name, dimensions)
            for value in datum.values:
                self._add(SeriesKey(*place, datum.unit), datum.at_s, value)

    def _count_error(self, stream: StreamKey, metric: str) -> None:
        dimensions = (Dimension("LogGroupName", stream.group),)
        key = SeriesKey(stream.account, stream.region, "AWS/Logs", metric, dimensions, "Count")
        now = int(self._clock.now())
        self._add(key, now - now % 60, 1.0)

    def _add(self, key: SeriesKey, at_s: int, value: float) -> None:
        point = self._points.get((key, at_s))
        if point is None:
            if len(self._points) >= _POINTS_MAX:
                self._dropped += 1
                return
            point = self._points[(key, at_s)] = Point()
        point.add(value)
