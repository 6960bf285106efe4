"""Who keeps an environment, as the environment sees it."""

from typing import Protocol, TypeVar

from emberbox.model.invocation import Invocation
from emberbox.model.report import Measurement

E_contra = TypeVar("E_contra", contravariant=True)


class Owner(Protocol[E_contra]):
    """Whoever keeps an environment of its kind; called in the event loop."""

    def on_available(self, environment: E_contra) -> None:
        """It can take an invocation: it is idle, or empty and will initialise again."""
        ...

    def on_report(
        self, environment: E_contra, invocation: Invocation, measured: Measurement, error: bytes
    ) -> None:
        """An invocation has ended and was measured. Called once for each.

        `error` is the document of its failure, empty if it has not failed.
        """
        ...

    def on_stopped(self, environment: E_contra, reason: str) -> None:
        """It is gone for good. Called once."""
        ...
