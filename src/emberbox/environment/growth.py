"""Whether there may be one more environment: how fast a function grows, and what the machine has.

Source for the rate: "Lambda scaling behavior" of AWS's guide. The machine's limit is our own.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from emberbox.clock import Clock
from emberbox.environment.pool import Pool
from emberbox.environment.room import Room
from emberbox.errors import CallerError
from emberbox.model.limits import NEW_ENVIRONMENTS_AT_ONCE, NEW_ENVIRONMENTS_PER_S
from emberbox.model.rates import Bucket
from emberbox.model.throttling import throttled

_FUNCTIONS_MAX: Final = 4_096


class Growth:
    """Asked for each environment that an invocation needs; provisioned ones are not asked for.

    Each function may add 1,000 environments in 10 seconds. Whether the machine has the memory is
    asked when their turn to start has come: many that are begun at once do not all start at once.
    """

    def __init__(self, clock: Clock, room: Room) -> None:
        self._clock = clock
        self._room = room
        self._buckets: OrderedDict[tuple[str, str, str], Bucket] = OrderedDict()

    def allow(self, pool: Pool) -> None:
        """CallerError 429 if the function may begin no more now."""
        now, key = self._clock.monotonic(), pool.plan.function.key
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= _FUNCTIONS_MAX:
                self._buckets.popitem(last=False)
            bucket = self._buckets[key] = Bucket(
                NEW_ENVIRONMENTS_AT_ONCE, NEW_ENVIRONMENTS_PER_S, now
            )
        if not bucket.take(now):
            raise throttled("ConcurrentInvocationLimitExceeded", bucket.wait_s(now))

    def make_room(self, pool: Pool, pools: Iterable[Pool]) -> None:
        """CallerError 429 if the machine has no memory for one that was begun."""
        try:
            self._room.take(pool, pools)
        except CallerError:
            bucket = self._buckets.get(pool.plan.function.key)
            if bucket is not None:
                bucket.give_back()
            raise

    def look(self, pools: Iterable[Pool]) -> None:
        """Now and then."""
        self._room.look(pools)
