"""The environments of one version that are kept initialised ahead of need."""

from emberbox.environment.environment import Environment
from emberbox.model.provisioned import INIT_FAILURE, Allocation
from emberbox.model.rates import Bucket

_AT_ONCE = 8
_AGAIN_AFTER_S = 60.0


class Provision:
    """How many are wanted, which there are, how many are being made, and whether that fails.

    Each takes `rate` requests a second, 0 for any number; others spill over to those on demand.
    """

    def __init__(self, rate: float = 0.0) -> None:
        self.wanted = 0
        self._rate = rate
        self._requests: Bucket | None = None
        self.starting = 0
        self.ready: set[Environment] = set()
        self._failure = ""
        self._again_at = 0.0

    @property
    def allocation(self) -> Allocation:
        """What the control plane shows of it."""
        return Allocation(len(self.ready), self._failure)

    @property
    def surplus(self) -> int:
        """How many are too many."""
        return max(0, len(self.ready) - self.wanted)

    @property
    def is_whole(self) -> bool:
        """Whether all that are wanted are there: one of them may be replaced."""
        return len(self.ready) >= self.wanted

    def want(self, count: int) -> None:
        """Keep so many from now on; what failed is tried at once if that is another number."""
        if count != self.wanted:
            self._failure, self._again_at = "", 0.0
        self.wanted = count

    def may_take(self, now: float) -> bool:
        """Whether one more request is theirs; it counts then."""
        size = self._rate * len(self.ready)
        if not size:
            return True
        if self._requests is None or self._requests.size != size:
            self._requests = Bucket(size, size, now)
        return self._requests.take(now)

    def to_start(self, now: float) -> int:
        """How many to begin to make now; `now` is of the clock that is given to `fail`."""
        if now < self._again_at:
            return 0
        missing = self.wanted - len(self.ready) - self.starting
        return max(0, min(missing, _AT_ONCE - self.starting))

    def succeed(self, environment: Environment) -> None:
        """One more has initialised."""
        self.ready.add(environment)
        self._failure = ""

    def fail(self, now: float) -> None:
        """One could not be initialised: try again after a while."""
        self._failure, self._again_at = INIT_FAILURE, now + _AGAIN_AFTER_S
