"""Target tracking: how much capacity keeps a utilization near its target.

Source: "Target tracking scaling policies for Application Auto Scaling" of AWS's guide, and the
alarms that AWS makes for them: three minutes above the target, fifteen below nine tenths of it.
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from emberbox.records import dataclass

OUT_MINUTES: Final = 3
IN_MINUTES: Final = 15
_IN_SHARE: Final = 0.9


@dataclass(frozen=True, slots=True)
class Tracking:
    """A policy. `target` is the wanted utilization, from 0 to 1; cooldowns are in seconds."""

    target: float
    out_cooldown_s: float = 0.0
    in_cooldown_s: float = 0.0
    may_scale_in: bool = True


class Situation(NamedTuple):
    """`minutes` are average utilizations, the newest last; `last_out` and `last_in` the moments of
    the last changes, -inf if there were none."""

    minutes: Sequence[float]
    current: int
    minimum: int
    maximum: int
    last_out: float
    last_in: float


def wanted(tracking: Tracking, situation: Situation, now: float) -> int:
    """The capacity that there should be now.

    More comes at once as much as the utilization says; less comes slowly, and never below what the
    busiest of the minutes needed.
    """
    current = within(situation, situation.current)
    if current != situation.current:
        return current
    recent = situation.minutes[-OUT_MINUTES:]
    if len(recent) == OUT_MINUTES and min(recent) > tracking.target:
        if now - situation.last_out < tracking.out_cooldown_s:
            return current
        return within(situation, max(current + 1, _for(current, recent[-1], tracking)))
    calm = situation.minutes[-IN_MINUTES:]
    if (
        tracking.may_scale_in
        and len(calm) == IN_MINUTES
        and max(calm) < tracking.target * _IN_SHARE
        and now - max(situation.last_in, situation.last_out) >= tracking.in_cooldown_s
    ):
        return within(situation, min(current - 1, _for(current, max(calm), tracking)))
    return current


def within(situation: Situation, capacity: int) -> int:
    """The nearest capacity that is allowed."""
    return max(situation.minimum, min(situation.maximum, capacity))


def _for(current: int, utilization: float, tracking: Tracking) -> int:
    return math.ceil(current * utilization / tracking.target - 1e-9)
