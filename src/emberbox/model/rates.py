"""How often something may happen: so much at once, and then as fast as it is filled up again."""


class Bucket:
    """Holds `size` at most, fills up by `per_s`; begins full. Times are of one steady clock."""

    __slots__ = ("_filled", "_level", "per_s", "size")

    def __init__(self, size: float, per_s: float, now: float) -> None:
        self.size = size
        self.per_s = per_s
        self._level = size
        self._filled = now

    def take(self, now: float) -> bool:
        """Take one; False if there is none left."""
        level = min(self.size, self._level + max(0.0, now - self._filled) * self.per_s)
        self._filled = max(now, self._filled)
        if level < 1.0:
            self._level = level
            return False
        self._level = level - 1.0
        return True

    def give_back(self) -> None:
        """What was taken last was not needed."""
        self._level = min(self.size, self._level + 1.0)

    def wait_s(self, now: float) -> float:
        """Seconds until there is one; 0 also where there never is."""
        if not self.per_s:
            return 0.0
        level = self._level + (now - self._filled) * self.per_s
        return 0.0 if level >= 1.0 else (1.0 - level) / self.per_s
