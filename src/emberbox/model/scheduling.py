"""Schedules of EventBridge Scheduler: when they run, and what they send.

The records are JSON values throughout; times are seconds since the epoch. Source: the API reference
and the user guide of EventBridge Scheduler.
"""

import hashlib
import json
from dataclasses import field
from typing import Any, Final

from emberbox.model.event_bus import wire_time
from emberbox.model.parcels import AGE_DEFAULT_S, RETRIES_DEFAULT, Parcel
from emberbox.model.schedules import parse_expression
from emberbox.records import dataclass

DEFAULT_GROUP: Final = "default"
ATTEMPT: Final = "<aws.scheduler.attempt-number>"
PRINCIPAL: Final = "scheduler.amazonaws.com"
_SETTINGS: Final = ("SqsParameters", "EventBridgeParameters")


@dataclass(frozen=True, slots=True)
class Group:
    """A schedule group."""

    account: str
    region: str
    name: str
    created: float
    modified: float
    token: str = ""
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:scheduler:{self.region}:{self.account}:schedule-group/{self.name}"


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule; `target` and `window` as the wire has them, `start` and `end` 0 if not set."""

    account: str
    region: str
    group: str
    name: str
    expression: str
    zone: str
    target: dict[str, Any]
    window: dict[str, Any]
    created: float
    modified: float
    start: float = 0.0
    end: float = 0.0
    description: str = ""
    state: str = "ENABLED"
    completion: str = "NONE"
    token: str = ""

    @property
    def arn(self) -> str:
        """Its ARN."""
        place = f"{self.region}:{self.account}"
        return f"arn:aws:scheduler:{place}:schedule/{self.group}/{self.name}"

    @property
    def age_s(self) -> int:
        """How long a run may be late."""
        policy = self.target.get("RetryPolicy") or {}
        return int(policy.get("MaximumEventAgeInSeconds", AGE_DEFAULT_S))


@dataclass(frozen=True, slots=True)
class Run:
    """A moment that the expression names, and when in its window the target is called."""

    moment: float
    due: float


def next_run(schedule: Schedule, after: float) -> Run | None:
    """The first run whose moment is after another; None if there is none."""
    if schedule.state != "ENABLED":
        return None
    expression = parse_expression(schedule.expression, schedule.zone)
    if expression.is_once:
        moment = expression.after(after, 0.0)
    else:
        every_s = getattr(expression, "every_s", 0)
        start = schedule.start or schedule.modified + every_s
        moment = expression.after(after, start)
        if moment is not None and schedule.end and moment > schedule.end:
            moment = None
    return None if moment is None else Run(moment, moment + _delay_s(schedule, moment))


def following_run(schedule: Schedule, moment: float, now: float) -> Run | None:
    """The run after one; those that are later than the retry window allows are left out."""
    found = next_run(schedule, moment)
    earliest = now - schedule.age_s
    if found is not None and found.due < earliest:
        found = next_run(schedule, earliest)
    return found


def _delay_s(schedule: Schedule, moment: float) -> float:
    """Somewhere in the flexible window, the same for the same run."""
    window_s = 60 * int(schedule.window.get("MaximumWindowInMinutes") or 0)
    if schedule.window.get("Mode") != "FLEXIBLE" or not window_s:
        return 0.0
    digest = hashlib.sha256(f"{schedule.arn} {moment}".encode()).digest()
    return int.from_bytes(digest[:4]) / 2**32 * window_s


def parcel_of(schedule: Schedule, run: Run, execution: str) -> Parcel:
    """What a run sends. `execution` is its id."""
    target = schedule.target
    retry = target.get("RetryPolicy") or {}
    text = target.get("Input")
    return Parcel(
        target["Arn"],
        _default(schedule, run, execution) if text is None else _filled(schedule, run, execution),
        schedule.arn,
        PRINCIPAL,
        run.due,
        target["RoleArn"],
        {name: target[name] for name in _SETTINGS if target.get(name)},
        (target.get("DeadLetterConfig") or {}).get("Arn") or "",
        retry.get("MaximumRetryAttempts", RETRIES_DEFAULT),
        schedule.age_s,
    )


def _filled(schedule: Schedule, run: Run, execution: str) -> str:
    text: str = schedule.target["Input"]
    for name, value in (
        ("schedule-arn", schedule.arn),
        ("scheduled-time", wire_time(run.moment)),
        ("execution-id", execution),
    ):
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return text


def _default(schedule: Schedule, run: Run, execution: str) -> str:
    return json.dumps(
        {
            "version": "0",
            "id": execution,
            "detail-type": "Scheduled Event",
            "source": "aws.scheduler",
            "account": schedule.account,
            "time": wire_time(run.moment),
            "region": schedule.region,
            "resources": [schedule.arn],
            "detail": "{}",
        }
    )
