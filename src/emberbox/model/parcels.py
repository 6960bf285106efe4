"""Deliveries of rules and schedules to their targets: what is sent, and how often it is tried.

Source: "Retry policy and dead-letter queues" of the EventBridge guide, and the same of Scheduler's.
"""

from dataclasses import field
from enum import Enum
from typing import Any, Final

from emberbox.records import dataclass

RETRIES_DEFAULT: Final = 185
AGE_DEFAULT_S: Final = 86_400
_PAUSE_FIRST_S: Final = 1.0
_PAUSE_MAX_S: Final = 600.0


class Exhausted(Enum):
    """Why a delivery was given up though it might have succeeded later."""

    ATTEMPTS = "MaximumRetryAttempts"
    AGE = "MaximumEventAgeInSeconds"


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message for one target.

    `source` is the ARN of the rule or schedule, `principal` the service in whose name it is sent,
    `role` the ARN of the role that it uses, if any. `settings` are the target's other settings, as
    the wire names them. `dead_letters` is the ARN of a queue, or empty. `accepted` is in seconds.
    """

    target: str
    body: str
    source: str
    principal: str
    accepted: float
    role: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    dead_letters: str = ""
    retries: int = RETRIES_DEFAULT
    age_s: int = AGE_DEFAULT_S

    @property
    def account(self) -> str:
        """The account it is sent from."""
        return self.source.split(":")[4]

    @property
    def region(self) -> str:
        """The region it is sent from."""
        return self.source.split(":")[3]

    @property
    def is_slow(self) -> bool:
        """Whether it goes to a server that is not ours, which may take its time."""
        return ":api-destination/" in self.target


def after_failure(parcel: Parcel, attempts: int, now: float, jitter: float) -> float | Exhausted:
    """When to try again after so many attempts, or why not. `jitter` is 0 to 1."""
    if attempts > parcel.retries:
        return Exhausted.ATTEMPTS
    pause = min(_PAUSE_MAX_S, _PAUSE_FIRST_S * 2.0 ** min(attempts - 1, 20))
    due = now + pause * (0.75 + jitter / 2)
    return Exhausted.AGE if due > parcel.accepted + parcel.age_s else due


def is_too_old(parcel: Parcel, now: float) -> bool:
    """Whether its time is over before it is tried."""
    return now > parcel.accepted + parcel.age_s


def dead_letter_attributes(
    parcel: Parcel, code: str, message: str, attempts: int, exhausted: Exhausted | None
) -> dict[str, str]:
    """The attributes of the message in the queue of dead letters."""
    name = "RULE_ARN" if ":rule/" in parcel.source else "SCHEDULE_ARN"
    found = {
        name: parcel.source,
        "TARGET_ARN": parcel.target,
        "ERROR_CODE": code,
        "ERROR_MESSAGE": message[:1_024] or code,
        "RETRY_ATTEMPTS": str(max(0, attempts - 1)),
    }
    if exhausted is not None:
        found["EXHAUSTED_RETRY_CONDITION"] = exhausted.value
    return found
