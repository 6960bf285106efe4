"""When an alarm goes off: the evaluation of its last data points.

Source: "Using Amazon CloudWatch alarms", evaluation and treatment of missing data.
"""

from collections.abc import Callable, Sequence
from enum import Enum

from emberbox.records import dataclass


class AlarmState(Enum):
    """`StateValue` of an alarm."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


COMPARISONS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanOrEqualToThreshold": (
        lambda value, threshold: value >= threshold,
        "greater than or equal to",
    ),
    "GreaterThanThreshold": (lambda value, threshold: value > threshold, "greater than"),
    "LessThanThreshold": (lambda value, threshold: value < threshold, "less than"),
    "LessThanOrEqualToThreshold": (
        lambda value, threshold: value <= threshold,
        "less than or equal to",
    ),
}
"""ComparisonOperator -> (test, words)."""

TREATMENTS = ("breaching", "notBreaching", "ignore", "missing")


@dataclass(frozen=True, slots=True)
class Rule:
    """What an alarm compares: so many of the last periods, and what a missing one counts as."""

    comparison: str
    threshold: float
    periods: int
    datapoints: int
    missing: str = "missing"


def evaluate(rule: Rule, points: Sequence[float | None], now: AlarmState) -> AlarmState:
    """The state after the last points, oldest first, None for a period without data.

    More points than periods may be given: the newest that have data count first.
    """
    there = [point for point in points if point is not None][-rule.periods :]
    breaching = sum(COMPARISONS[rule.comparison][0](point, rule.threshold) for point in there)
    lacking = rule.periods - len(there)
    if breaching >= rule.datapoints:
        return AlarmState.ALARM
    if lacking == 0 or rule.missing == "notBreaching":
        return AlarmState.OK
    if rule.missing == "breaching":
        is_alarm = breaching + lacking >= rule.datapoints
        return AlarmState.ALARM if is_alarm else AlarmState.OK
    if there and breaching < len(there):
        return AlarmState.OK
    if rule.missing == "ignore":
        return now
    return AlarmState.ALARM if there else AlarmState.INSUFFICIENT_DATA


def reason(rule: Rule, points: Sequence[float | None], state: AlarmState) -> str:
    """Why it is in that state, as CloudWatch words it."""
    there = [point for point in points if point is not None][-rule.periods :]
    if state is AlarmState.INSUFFICIENT_DATA or not there:
        many = f"{rule.periods} datapoint{'s were' if rule.periods > 1 else ' was'} unknown"
        return f"Insufficient Data: {many}."
    words = COMPARISONS[rule.comparison][1]
    shown = ", ".join(str(float(point)) for point in reversed(there))
    counted = len(there)
    negation = "" if state is AlarmState.ALARM else "not "
    verb = f"{'was' if counted == 1 else 'were'} {negation}{words} the threshold"
    plural = "datapoint" if counted == 1 else "datapoints"
    return f"Threshold Crossed: {counted} {plural} [{shown}] {verb} ({float(rule.threshold)})."
