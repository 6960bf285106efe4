"""Values out of log events into metrics: what metric filters are for."""

import logging
from typing import Final

from emberbox.errors import EmberboxError
from emberbox.model.log_metric import Measure
from emberbox.model.metrics import Point, SeriesKey
from emberbox.storage.log_filters import Batch, LogFilter
from emberbox.telemetry.metrics import MetricSink

log = logging.getLogger("emberbox.logs")

_MINUTES_KEPT: Final = 120


class Measurer:
    """Adds what matches a metric filter to its metric, at the time of the events.

    A default value counts once for each minute that has events, and none that match before it is
    added.
    """

    def __init__(self, metrics: MetricSink) -> None:
        self._metrics = metrics
        self._minutes: dict[int, dict[int, None]] = {}

    async def take(self, made: LogFilter, batch: Batch) -> None:
        """Return once the values are stored."""
        for transformation in made.settings["metricTransformations"]:
            measure = Measure.of(made.pattern, transformation)
            points = self._points(made, measure, batch)
            if "defaultValue" in transformation:
                self._add_defaults(made, measure, batch, points)
            for (key, minute), point in points.items():
                self._metrics.merge(key, minute * 60, point)
        try:
            await self._metrics.flush()
        except EmberboxError as error:
            # The sink keeps them: to try this batch again would count it twice.
            log.warning("values of the log filter %s are not written yet: %s", made.name, error)

    def _points(
        self, made: LogFilter, measure: Measure, batch: Batch
    ) -> dict[tuple[SeriesKey, int], Point]:
        points: dict[tuple[SeriesKey, int], Point] = {}
        for event in batch.matched:
            found = measure.read(event.message)
            if found is not None:
                value, dimensions = found
                key = measure.series(made.group.account, made.group.region, dimensions)
                place = key, event.timestamp_ms // 60_000
                points.setdefault(place, Point()).add(value)
        return points

    def _add_defaults(
        self,
        made: LogFilter,
        measure: Measure,
        batch: Batch,
        points: dict[tuple[SeriesKey, int], Point],
    ) -> None:
        key = measure.series(made.group.account, made.group.region)
        known = self._minutes.setdefault(made.id, {})
        known.update(dict.fromkeys(minute for _, minute in points))
        for when in batch.unmatched_ms:
            minute = when // 60_000
            if minute not in known:
                known[minute] = None
                points.setdefault((key, minute), Point()).add(
                    measure.transformation["defaultValue"]
                )
        for minute in list(known)[:-_MINUTES_KEPT]:
            del known[minute]
