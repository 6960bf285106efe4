"""The metrics of one mapping, where its `MetricsConfig` asks for them.

Source: "Event source mapping metrics" of AWS's guide, the group EventCount.
"""

from collections.abc import Callable

from emberbox.model.mapping import EventSourceMapping
from emberbox.model.metrics import Dimension, SeriesKey

Count = Callable[[str, int], None]
"""Hears how many events something has happened to, by the name of the metric."""


def counting(mapping: EventSourceMapping, add: Callable[[SeriesKey, float], None]) -> Count:
    """What counts for a mapping; it does nothing unless that is asked for."""
    asked = (mapping.settings.get("MetricsConfig") or {}).get("Metrics") or ()
    if "EventCount" not in asked:
        return _nobody_counts
    dimensions = (Dimension("EventSourceMappingUUID", mapping.uuid),)

    def count(metric: str, events: int) -> None:
        key = SeriesKey(mapping.account, mapping.region, "AWS/Lambda", metric, dimensions, "Count")
        add(key, events)

    return count


def _nobody_counts(_metric: str, _events: int) -> None:
    """The mapping does not ask for it."""
