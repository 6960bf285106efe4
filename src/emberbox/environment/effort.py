"""Whether an environment may have used up its share of the processor for the moment."""

from emberbox.isolation.sandbox import CPU_PERIOD_S


class Effort:
    """Time spent serving within one period of the processor's accounting.

    `share` is processor time per time; 0, or a whole processor and more, is never used up.
    """

    __slots__ = ("_began", "_busy_s", "_share")

    def __init__(self, share: float) -> None:
        self._share = share
        self._began = 0.0
        self._busy_s = 0.0

    @property
    def is_spent(self) -> bool:
        """Whether more was spent than the share of the period."""
        return 0 < self._share < 1 and self._busy_s > self._share * CPU_PERIOD_S

    def add(self, since: float, now: float) -> None:
        """An invocation was served from one moment to the other; seconds of one clock."""
        if now - self._began > CPU_PERIOD_S:
            self._began, self._busy_s = now, 0.0
        self._busy_s += now - since
