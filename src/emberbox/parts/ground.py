"""What every part of a server stands on."""

from contextlib import AsyncExitStack
from pathlib import Path

from emberbox.clock import Clock
from emberbox.records import dataclass
from emberbox.settings import Settings


@dataclass(frozen=True, slots=True)
class Ground:
    """The settings, the data directory and its secret, the clock, and what ends with the server.

    Parts that are opened on it close when `stack` unwinds, the last first.
    """

    settings: Settings
    data: Path
    secret: bytes
    clock: Clock
    stack: AsyncExitStack
