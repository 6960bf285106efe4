"""How many blank sandboxes are worth keeping: a few, and more while many are asked for at once."""

from collections import deque

_TOGETHER_S = 1.0
_KEPT_S = 60.0


class Demand:
    """Counts what is taken, by instants of a clock that only goes on.

    What was taken within a second is expected again for a minute, between `least` and `most`.
    """

    def __init__(self, least: int, most: int) -> None:
        self._least = least
        self._most = most
        self._taken: deque[float] = deque(maxlen=max(1, most))
        self._peak = 0
        self.until = 0.0

    def take(self, now: float) -> None:
        """One is taken."""
        taken = self._taken
        taken.append(now)
        while taken[0] < now - _TOGETHER_S:
            taken.popleft()
        if len(taken) >= self._peak or now >= self.until:
            self._peak = len(taken)
            self.until = now + _KEPT_S

    def wanted(self, now: float) -> int:
        """How many should be ready."""
        expected = self._peak if now < self.until else 0
        return min(self._most, max(self._least, expected))
