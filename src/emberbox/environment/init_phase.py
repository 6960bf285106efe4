"""INIT of an environment, or RESTORE: what is told of it, its time, and its processor share."""

from emberbox.clock import Clock
from emberbox.environment.beginning import Beginning
from emberbox.environment.chronicle import Chronicle
from emberbox.isolation.sandbox import Sandbox
from emberbox.model.report import Restored


class InitPhase:
    """`begin` and `ended` or `failed`, in turn, as often as the environment initialises.

    Within an invocation (phase `invoke`), its time is a part of the invocation's and is not told
    apart.
    """

    def __init__(
        self, beginning: Beginning, sandbox: Sandbox, chronicle: Chronicle, clock: Clock
    ) -> None:
        self._beginning = beginning
        self._sandbox = sandbox
        self._chronicle = chronicle
        self._clock = clock
        self._began = 0.0
        self._connected = 0.0
        self._phase = "init"
        self._took_ms: float | None = None
        self._restored: Restored | None = None
        self.is_running = False

    def begin(self, phase: str) -> None:
        """Initialisation starts, before the first invocation (`init`) or within one (`invoke`)."""
        self._phase = phase
        self._took_ms = None
        self.is_running = True
        self._began = self._clock.monotonic()
        self._chronicle.init_begins(phase, self._sandbox.name)

    def connected(self) -> None:
        """A process has connected: what is restored runs again."""
        self._connected = self._connected or self._clock.monotonic()

    @property
    def is_image_broken(self) -> bool:
        """Whether a process that ends now has never run again: the image is no good."""
        return self._beginning.image is not None and not self._connected

    def ended(self) -> None:
        """It has come to its end.

        INIT runs on a whole processor, as on AWS; what follows has the function's share.
        """
        self.is_running = False
        self._sandbox.boost(on=False)
        took_ms = self._elapsed_ms()
        if self._beginning.image is not None:
            self._restored = Restored.between(self._began, self._connected, self._clock.monotonic())
            took_ms = self._restored.total_ms
        elif self._phase == "init":
            self._took_ms = took_ms
        self._chronicle.init_ends(self._phase, took_ms, None)

    def failed(self, status: str, error_type: str | None) -> None:
        """It has failed; before any invocation, the first one will try again."""
        self.is_running = False
        self._chronicle.init_ends(self._phase, self._elapsed_ms(), (status, error_type))

    def take_ms(self) -> float | None:
        """Its duration, for one report."""
        took, self._took_ms = self._took_ms, None
        return took

    def take_restored(self) -> Restored | None:
        """The duration of RESTORE, for one report."""
        restored, self._restored = self._restored, None
        return restored

    def _elapsed_ms(self) -> float:
        return (self._clock.monotonic() - self._began) * 1000
