"""Room on the machine for one more environment: made at the cost of idle ones, or refused.

The kernel would rather swap, or kill, than refuse; so part of the memory is kept for what runs.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from math import inf
from operator import itemgetter
from typing import Final, Protocol

from emberbox.clock import Clock
from emberbox.environment.environment import Environment
from emberbox.environment.pool import Pool
from emberbox.errors import CallerError
from emberbox.model.throttling import throttled
from emberbox.model.usefulness import Resting, usefulness

_EXPECTED_MB: Final = 24.0
"""What an environment takes of which nothing is known yet."""

_SETTLED_S: Final = 1.0
"""After so long an environment that was begun shows in what the kernel says."""

_CLOSE_S: Final = 0.02
_SHARE: Final = 0.05

_FIRST: Final = 0.02
"""The share of the memory that is left to the first environments of functions: one that fills the
machine with its own keeps no other from running at all."""


class Memory(Protocol):
    """What the machine has."""

    @property
    def total_mb(self) -> float:
        """In all."""
        ...

    def available_mb(self) -> float:
        """What may be taken now."""
        ...


class Room:
    """Keeps `reserve_mb` of the memory free, by default a twentieth of it."""

    def __init__(self, memory: Memory, clock: Clock, reserve_mb: float | None) -> None:
        self._memory = memory
        self._clock = clock
        self._first_mb = memory.total_mb * _FIRST
        self._reserve_mb = memory.total_mb * _SHARE if reserve_mb is None else reserve_mb
        self._promised: deque[tuple[float, float]] = deque()
        self._promised_mb = 0.0
        self._read_mb = 0.0
        self._read_at = -inf

    def take(self, wanting: Pool, pools: Iterable[Pool]) -> None:
        """Make room for one more of a version; CallerError 429 if there is none to be made."""
        needed_mb = expected_mb(wanting)
        enough_mb = needed_mb + self._reserve_mb
        short_mb = enough_mb - self._free_mb(_SETTLED_S)
        if short_mb > -enough_mb - self._first_mb:
            # It begins to be tight: look closely.
            pools = list(pools)
            if not _is_first(wanting, pools):
                enough_mb += self._first_mb
            short_mb = enough_mb - self._free_mb(_CLOSE_S)
        if short_mb > 0 and self._evict(short_mb, pools) < short_mb:
            raise _full(wanting, needed_mb)
        self._promised.append((self._clock.monotonic(), needed_mb))
        self._promised_mb += needed_mb

    def look(self, pools: Iterable[Pool]) -> None:
        """Now and then: what runs has grown into the reserve, so what is idle goes."""
        listed = list(pools)
        short_mb = self._reserve_mb - self._free_mb(_CLOSE_S) if listed else 0.0
        if short_mb > 0:
            self._evict(short_mb, listed)

    def _free_mb(self, age_s: float) -> float:
        """What is free by a reading that is no older, less what was promised since."""
        now = self._clock.monotonic()
        if now - self._read_at > age_s:
            # Asking the kernel takes as long as a tenth of a start.
            self._read_mb, self._read_at = self._memory.available_mb(), now
        settled = now - _SETTLED_S
        while self._promised and self._promised[0][0] < settled:
            self._promised_mb -= self._promised.popleft()[1]
        return self._read_mb - self._promised_mb

    def _evict(self, wanted_mb: float, pools: Iterable[Pool]) -> float:
        """End the least useful idle environments; the megabytes that they hold, or held once."""
        freed_mb = 0.0
        listed = list(pools)
        while freed_mb < wanted_mb:
            candidates = ((usefulness(resting), n, it) for n, it, resting in self._resting(listed))
            worst = min(candidates, key=itemgetter(0, 1), default=None)
            if worst is None:
                break
            _, n, environment = worst
            freed_mb += expected_mb(listed[n])
            # With extensions it takes a while to end: it is not to be found, and counted, again.
            del listed[n].idle[environment]
            environment.stop("its memory is needed")
        return freed_mb

    def _resting(self, pools: list[Pool]) -> Iterator[tuple[int, Environment, Resting]]:
        """The one of each pool that has rested longest; provisioned ones are promised, and stay."""
        now = self._clock.monotonic()
        for n, pool in enumerate(pools):
            longest = next((each for each in pool.idle if each.is_available), None)
            if longest is not None:
                idle_s, peers = now - longest.idle_since, len(pool.idle) - 1
                yield n, longest, Resting(pool.init_ms, expected_mb(pool), idle_s, peers)


def expected_mb(pool: Pool) -> float:
    """What an environment of a version may take: as much as one of them has taken."""
    return pool.peak_mb or min(_EXPECTED_MB, pool.plan.function.memory_mb)


def _is_first(wanting: Pool, pools: Iterable[Pool]) -> bool:
    """Whether no version of the function has an environment."""
    key = wanting.plan.function.key
    return not any(
        each.all or each.starting for each in (wanting, *pools) if each.plan.function.key == key
    )


def _full(pool: Pool, needed_mb: float) -> CallerError:
    why = (
        f"This machine has no memory for another environment of {pool.plan.function.name}, which "
        f"takes {needed_mb:.0f} MB: what it has is busy."
    )
    return throttled("ConcurrentInvocationLimitExceeded", why=why)
