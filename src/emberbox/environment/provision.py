"""The environments of one version that are kept initialised ahead of need."""

from emberbox.environment.environment import Environment
from emberbox.model.provisioned import INIT_FAILURE, Allocation

_AT_ONCE = 8
_AGAIN_AFTER_S = 60.0


class Provision:
    """How many are wanted, which there are, how many are being made, and whether that fails."""

    def __init__(self) -> None:
        self.wanted = 0
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

    def want(self, count: int) -> None:
        """Keep so many from now on; what failed is tried at once if that is another number."""
        if count != self.wanted:
            self._failure, self._again_at = "", 0.0
        self.wanted = count

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
