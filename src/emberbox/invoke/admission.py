"""Counts the invocations that run and the requests that come, and refuses those above a limit.

Every invocation counts for its function. Those of functions without reserved concurrency share
what the others have left of the account's limit in the region. Of synchronous requests each
function may have ten a second for each execution that may run.
Source: "Understanding Lambda function scaling" of the guide; the errors are the service's own.
"""

from collections import OrderedDict
from typing import NamedTuple, Protocol

from emberbox.errors import CallerError
from emberbox.invoke.peaks import Most, Peaks
from emberbox.model.limits import REQUESTS_PER_EXECUTION
from emberbox.model.rates import Bucket
from emberbox.model.throttling import throttled

_BUCKETS_MAX = 4_096


class Limits(NamedTuple):
    """How much may run, per account and region.

    `rate` is of synchronous requests in a second for each execution that may run, 0 for any.
    `wait_s` is how long a synchronous request may wait for one, instead of being refused.
    """

    concurrency: int
    rate: float = REQUESTS_PER_EXECUTION
    wait_s: float = 0.0


class Reservations(Protocol):
    """Reserved concurrency as the control plane has it now."""

    def reserved(self, key: tuple[str, str, str]) -> int | None:
        """What is set aside for a function, or None."""
        ...

    def reserved_in(self, account: str, region: str) -> int:
        """What is set aside for all functions of an account in a region."""
        ...


class Admitted(NamedTuple):
    """An invocation that counts: for its function, and perhaps in the account's common pool."""

    key: tuple[str, str, str]
    is_pooled: bool


class Admission:
    """`limit` holds for each account and region; `rate` is of requests for each execution."""

    def __init__(
        self, reservations: Reservations, limit: int, rate: float = REQUESTS_PER_EXECUTION
    ) -> None:
        self._reservations = reservations
        self._limit = limit
        self._rate = rate
        self._running: dict[tuple[str, str, str], int] = {}
        self._pooled: dict[tuple[str, str], int] = {}
        self._buckets: OrderedDict[tuple[str, str, str], Bucket] = OrderedDict()
        self._peaks = Peaks()
        self.total = 0

    def running(self, key: tuple[str, str, str]) -> int:
        """Invocations of a function that run now."""
        return self._running.get(key, 0)

    def take_peaks(self) -> Most:
        """How many ran at once since this was last asked."""
        return self._peaks.take(self._running, self._pooled)

    def is_full(self, key: tuple[str, str, str]) -> bool:
        """Whether one more could not run now; a function that is switched off is not full."""
        reserved = self._reservations.reserved(key)
        if reserved is not None:
            return 0 < reserved <= self._running.get(key, 0)
        return self._pooled.get(key[:2], 0) >= self._common(key)

    def admit(self, key: tuple[str, str, str], asked: float | None = None) -> Admitted:
        """Let one more run, or CallerError 429. `release` wants the answer back.

        `asked` is when a synchronous request came, on a steady clock; nobody counts the others.
        """
        running = self._running.get(key, 0)
        reserved = self._reservations.reserved(key)
        place = key[:2]
        if reserved is None:
            if self._pooled.get(place, 0) >= self._common(key):
                raise too_many(None)
        elif running >= reserved:
            raise too_many(reserved)
        if asked is not None and self._rate:
            self._take(key, reserved, asked)
        pooled = self._pooled.get(place, 0)
        if reserved is None:
            pooled += 1
            self._pooled[place] = pooled
        self._running[key] = running + 1
        self._peaks.began(key, running + 1, pooled, is_pooled=reserved is None)
        self.total += 1
        return Admitted(key, reserved is None)

    def refusal(self, key: tuple[str, str, str]) -> CallerError:
        """What is said to one that there is no room for."""
        return too_many(self._reservations.reserved(key))

    def count_request(self, key: tuple[str, str, str], asked: float | None) -> None:
        """Count a request that is to be admitted later, or CallerError 429."""
        reserved = self._reservations.reserved(key)
        if reserved == 0:
            raise too_many(reserved)
        if asked is not None and self._rate:
            self._take(key, reserved, asked)

    def withdraw(self, admitted: Admitted) -> None:
        """One that was admitted has not run, and will ask again."""
        self.release(admitted)
        bucket = self._buckets.get(admitted.key)
        if bucket is not None:
            bucket.give_back()

    def release(self, admitted: Admitted) -> None:
        """One that was admitted has ended."""
        key, is_pooled = admitted
        left = self._running[key] - 1
        if left:
            self._running[key] = left
        else:
            del self._running[key]
        if is_pooled:
            self._pooled[key[:2]] -= 1
        else:
            self._peaks.reserved_ended(key[:2])
        self.total -= 1

    def _take(self, key: tuple[str, str, str], reserved: int | None, asked: float) -> None:
        size = (self._limit if reserved is None else reserved) * self._rate
        bucket = self._buckets.get(key)
        if bucket is None or bucket.size != size:
            bucket = self._new_bucket(key, size, asked)
        if not bucket.take(asked):
            kind = "Function" if reserved is None else "ReservedFunction"
            raise throttled(f"{kind}InvocationRateLimitExceeded", bucket.wait_s(asked))

    def _new_bucket(self, key: tuple[str, str, str], size: float, now: float) -> Bucket:
        """The oldest gives way to it: few functions are so busy at once that it matters."""
        if len(self._buckets) >= _BUCKETS_MAX:
            self._buckets.popitem(last=False)
        bucket = self._buckets[key] = Bucket(size, size, now)
        return bucket

    def _common(self, key: tuple[str, str, str]) -> int:
        return self._limit - self._reservations.reserved_in(*key[:2])


def too_many(reserved: int | None) -> CallerError:
    """More run already than may: of a function with reserved concurrency, or of all others."""
    kind = "" if reserved is None else "ReservedFunction"
    return throttled(f"{kind}ConcurrentInvocationLimitExceeded")
