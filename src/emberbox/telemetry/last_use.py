"""When each version of each function was used last: invoked, made or changed.

The server that is gone left only the day: its end counts then.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from emberbox.clock import Clock
from emberbox.model.function import FunctionVersion, State
from emberbox.model.usage import Usage

_DAY_S = 86_400.0

Place = tuple[str, str, str, str]
"""Account, region, name and version."""


class LastUse:
    """`days` are those on which versions ran last, YYYY-MM-DD in UTC."""

    def __init__(self, days: Mapping[Place, str], clock: Clock) -> None:
        self._clock = clock
        self._began = now = clock.now()
        self._at = {place: min(now, _end_of(day)) for place, day in days.items()}

    def ran(self, usages: Sequence[Usage]) -> None:
        """Invocations of one subject have ended."""
        self._at[usages[0].subject[:4]] = usages[-1].at

    def function_changed(
        self, before: FunctionVersion | None, after: FunctionVersion | None
    ) -> None:
        """Listener of the catalog."""
        if after is None:
            if before is not None:
                self._at.pop((*before.key, before.version), None)
        elif after.state is not State.INACTIVE:
            self._at[(*after.key, after.version)] = self._clock.now()

    def at(self, place: Place) -> float:
        """When it was used last, as far as that is known; else when the server began."""
        return self._at.get(place, self._began)


def _end_of(day: str) -> float:
    return datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() + _DAY_S
