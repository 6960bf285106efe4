"""Counts the invocations that run, and refuses those above a limit.

Every invocation counts for its function. Those of functions without reserved concurrency share
what the others have left of the account's limit in the region.
Source: "Understanding Lambda function scaling" of the guide; the errors are the service's own.
"""

from typing import NamedTuple, Protocol

from emberbox.errors import CallerError


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
    """`limit` holds for each account and region."""

    def __init__(self, reservations: Reservations, limit: int) -> None:
        self._reservations = reservations
        self._limit = limit
        self._running: dict[tuple[str, str, str], int] = {}
        self._pooled: dict[tuple[str, str], int] = {}
        self.total = 0

    def running(self, key: tuple[str, str, str]) -> int:
        """Invocations of a function that run now."""
        return self._running.get(key, 0)

    def admit(self, key: tuple[str, str, str]) -> Admitted:
        """Let one more run, or CallerError 429. `release` wants the answer back."""
        running = self._running.get(key, 0)
        reserved = self._reservations.reserved(key)
        if reserved is None:
            place = key[:2]
            pooled = self._pooled.get(place, 0)
            if pooled >= self._limit - self._reservations.reserved_in(*place):
                raise _throttled("ConcurrentInvocationLimitExceeded")
            self._pooled[place] = pooled + 1
        elif running >= reserved:
            raise _throttled("ReservedFunctionConcurrentInvocationLimitExceeded")
        self._running[key] = running + 1
        self.total += 1
        return Admitted(key, reserved is None)

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
        self.total -= 1


def _throttled(reason: str) -> CallerError:
    return CallerError(
        "TooManyRequestsException",
        "Rate Exceeded.",
        status=429,
        fields={"Reason": reason, "Type": "User"},
    )
