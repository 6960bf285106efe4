"""For how long environments are kept ahead of need: what provisioned concurrency costs."""

from collections import defaultdict

from emberbox.clock import Clock
from emberbox.model.function import FunctionVersion
from emberbox.model.usage import Subject
from emberbox.storage.usage import UsageStore

_GONE_S = 60.0
"""A version that nobody has looked at for so long had none meanwhile."""

_Place = tuple[str, str, str, str]


class KeptTime:
    """Adds time up until it is written; what a killed server has not written is lost."""

    def __init__(self, store: UsageStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._seen: dict[_Place, tuple[float, int]] = {}
        self._kept_ms: defaultdict[Subject, float] = defaultdict(float)

    def look(self, function: FunctionVersion, count: int) -> None:
        """A version has so many now; 0 when it is to have none any more."""
        place = (*function.key, function.version)
        now = self._clock.monotonic()
        since, before = self._seen.pop(place, (now, 0))
        if before and now - since < _GONE_S:
            self._kept_ms[Subject.of(function)] += (now - since) * 1000 * before
        if count:
            self._seen[place] = (now, count)

    async def write(self) -> None:
        """Keep what was added up."""
        kept, self._kept_ms = self._kept_ms, defaultdict(float)
        if not kept:
            return
        try:
            await self._store.keep(kept, self._clock.now())
        except BaseException:
            for subject, each_ms in kept.items():
                self._kept_ms[subject] += each_ms
            raise
