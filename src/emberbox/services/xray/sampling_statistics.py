"""What clients have told of their sampling lately, by rule and minute; in memory alone.

Source: API reference of X-Ray, operation GetSamplingStatisticSummaries.
"""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

from emberbox.clock import utc
from emberbox.storage.traces import Place

_MINUTE_S: Final = 60
_KEPT_MINUTES: Final = 10
_KEPT_MOST: Final = 10_000
_COUNTS: Final = ("RequestCount", "SampledCount", "BorrowCount")


class SamplingStatistics:
    """See the module."""

    def __init__(self) -> None:
        self._counts: OrderedDict[tuple[Place, str, int], list[int]] = OrderedDict()

    def add(self, place: Place, rule: str, told: Mapping[str, Any], now: float) -> None:
        """A client tells what it did by a rule since it told last."""
        key = (place, rule, int(now) // _MINUTE_S)
        counts = self._counts.setdefault(key, [0] * len(_COUNTS))
        for n, name in enumerate(_COUNTS):
            counts[n] += told.get(name, 0)
        if len(self._counts) > _KEPT_MOST:
            self._counts.popitem(last=False)

    def shown(self, place: Place, now: float) -> list[dict[str, Any]]:
        """Those of the last ten minutes, in the shape of the API."""
        oldest = int(now) // _MINUTE_S - _KEPT_MINUTES
        return [
            {
                "RuleName": rule,
                "Timestamp": utc(minute * _MINUTE_S),
                **dict(zip(_COUNTS, counts, strict=True)),
            }
            for (where, rule, minute), counts in self._counts.items()
            if where == place and minute > oldest
        ]
