"""Which idle execution environment is missed least when the machine has no room for all."""

from typing import NamedTuple


class Resting(NamedTuple):
    """An idle environment.

    `init_ms` is what it took to initialise, `memory_mb` what it holds at most; `peers` are the
    other idle environments of the same version.
    """

    init_ms: float
    memory_mb: float
    idle_s: float
    peers: int


def usefulness(resting: Resting) -> float:
    """The time that it saves, by how likely it is to be asked for soon, for each megabyte.

    Of two that are alike the one that has rested longer is missed less, and of many of one version
    the others can stand in for it.
    """
    chance = 1.0 / ((1.0 + resting.idle_s) * (1.0 + resting.peers))
    return (1.0 + resting.init_ms) * chance / max(1.0, resting.memory_mb)
