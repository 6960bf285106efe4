"""Looks at targets every second: schedules that are due, utilizations that ask for more or less."""

import logging
import uuid
from collections import deque
from collections.abc import Awaitable
from dataclasses import field, replace
from math import inf
from typing import Final, Protocol

from emberbox.clock import Clock
from emberbox.errors import CallerError
from emberbox.model.schedules import Expression, parse_expression
from emberbox.model.target_tracking import IN_MINUTES, Situation, Tracking, wanted, within
from emberbox.records import dataclass
from emberbox.rounds import Paced, Trouble
from emberbox.services.autoscaling.naming import function_of
from emberbox.storage.scaling import Kind, Record, ScalingStore

log = logging.getLogger("emberbox.scaling")

_LOOK_S: Final = 1.0
_MINUTE_S: Final = 60
_ACTIVITIES_MAX: Final = 50
_UNFIT: Final = "unfit"
"""In an action that has set bounds which its target is not within yet."""


class Capacity(Protocol):
    """Provisioned concurrency, by function and qualifier."""

    async def get(self, key: tuple[str, str, str], qualifier: str) -> int:
        """What is configured; 0 for nothing."""
        ...

    async def put(self, key: tuple[str, str, str], qualifier: str, capacity: int) -> None:
        """Configure it; CallerError if that cannot be."""
        ...

    def utilization(self, key: tuple[str, str, str], qualifier: str) -> float | None:
        """The share of it that is busy now; None if there is none yet."""
        ...


@dataclass(slots=True)
class _Watched:
    """What is known of a target: averages of whole minutes, samples of the one that runs."""

    minutes: deque[float] = field(default_factory=lambda: deque(maxlen=IN_MINUTES))
    minute: int = 0
    samples: list[float] = field(default_factory=list)
    last_out: float = -inf
    last_in: float = -inf

    def sample(self, utilization: float | None, now: float) -> bool:
        """Note what is now; whether a minute has come to its end."""
        minute = int(now) // _MINUTE_S
        is_new = minute != self.minute
        if is_new and self.samples:
            self.minutes.append(sum(self.samples) / len(self.samples))
            self.samples.clear()
        self.minute = minute
        if utilization is not None:
            self.samples.append(utilization)
        return is_new


class ScalingClock:
    """See the module."""

    def __init__(self, store: ScalingStore, capacity: Capacity, clock: Clock) -> None:
        self._store = store
        self._capacity = capacity
        self._clock = clock
        self._watched: dict[tuple[str, str, str], _Watched] = {}
        self._failing: set[tuple[Kind, str, str, str, str]] = set()
        self._looking = Paced(self.look, _LOOK_S, Trouble(log, "targets cannot be scaled"))

    def open(self) -> None:
        """Begin to look."""
        self._looking.open()

    async def close(self) -> None:
        """Stop."""
        await self._looking.close()

    async def look(self) -> None:
        """Do what is due; what fails of one action or target is logged, and the others go on."""
        now = self._clock.now()
        actions = list(self._store.all(Kind.ACTION))
        due: list[tuple[float, Record]] = []
        for action in actions:
            await self._attempt(action, _note_if_due(action, now, due))
        for action in actions:
            if action.value.get(_UNFIT):
                await self._attempt(action, self._fit_at_last(action))
        for _, action in sorted(due, key=lambda each: each[0]):
            await self._attempt(action, self._run(action, now))
        targets = {each.place: each for each in self._store.all(Kind.TARGET)}
        for place, target in targets.items():
            watched = self._watched.setdefault(place, _Watched())
            await self._attempt(target, self._track(target, watched, now))
        self._failing &= {each.key for each in (*actions, *targets.values())}
        for gone in self._watched.keys() - targets.keys():
            del self._watched[gone]

    async def _attempt(self, record: Record, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception:
            if record.key not in self._failing:
                what = f"{record.kind.value} {record.name} of {record.resource_id}"
                log.exception("%s fails, trying again", what)
            self._failing.add(record.key)
        else:
            self._failing.discard(record.key)

    async def fit(self, target: Record, cause: str = "minimum or maximum capacity was set") -> None:
        """Bring a target's capacity within its bounds."""
        key, qualifier = _function(target)
        current = await self._capacity.get(key, qualifier)
        fitting = within(_situation(target, current, _Watched()), current)
        await self._move(target, current, fitting, cause)

    async def _run(self, action: Record, now: float) -> None:
        target = self._store.get(Kind.TARGET, action.place)
        if target is None or self._store.get(Kind.ACTION, action.place, action.name) != action:
            return  # removed or changed since it was looked at
        done = _fitted(replace(action, value={**action.value, "since": now}))
        if "ScheduledScalingSuspended" in target.value["suspended"]:
            await self._store.change([done])
            return
        bounds = action.value["bounds"]
        minimum = bounds.get("MinCapacity", target.value["min"])
        maximum = bounds.get("MaxCapacity", target.value["max"])
        bounded = {**target.value, "min": min(minimum, maximum), "max": max(minimum, maximum)}
        target = replace(target, value=bounded)
        unfit = replace(done, value={**done.value, _UNFIT: True})
        if target in await self._store.change([unfit, target]):
            await self._fit_at_last(unfit)

    async def _fit_at_last(self, action: Record) -> None:
        """Bring the target within the bounds that an action has given it, whatever ends between."""
        target = self._store.get(Kind.TARGET, action.place)
        if target is not None:
            await self.fit(target, f"scheduled action name {action.name} was triggered")
        if self._store.get(Kind.ACTION, action.place, action.name) == action:
            await self._store.change([_fitted(action)])

    async def _track(self, target: Record, watched: _Watched, now: float) -> None:
        policies = [e for e in self._store.of(target.place) if e.kind is Kind.POLICY]
        if not policies:
            return
        key, qualifier = _function(target)
        if not watched.sample(self._capacity.utilization(key, qualifier), now):
            return
        current = await self._capacity.get(key, qualifier)
        if not current:
            return  # nothing is provisioned, so nothing can be too busy
        situation = _situation(target, current, watched)
        # Of several policies the one counts that wants most, as on AWS.
        most = max(wanted(_tracking(each), situation, now) for each in policies)
        suspended = target.value["suspended"]
        if most > current and "DynamicScalingOutSuspended" not in suspended:
            watched.last_out = now
        elif most < current and "DynamicScalingInSuspended" not in suspended:
            watched.last_in = now
        else:
            return
        watched.minutes.clear()
        await self._move(target, current, most, "utilization is not as a policy wants it")

    async def _move(self, target: Record, current: int, capacity: int, cause: str) -> None:
        if capacity == current:
            return
        key, qualifier = _function(target)
        status, message = "Successful", f"Successfully set provisioned concurrency to {capacity}."
        try:
            await self._capacity.put(key, qualifier, capacity)
        except CallerError as error:
            status, message = "Failed", f"Failed to set it to {capacity}: {error.message}"
            log.warning("%s cannot be scaled to %d: %s", target.resource_id, capacity, error)
        await self._note(target, capacity, cause, status, message)

    async def _note(
        self, target: Record, capacity: int, cause: str, status: str, message: str
    ) -> None:
        now = self._clock.now()
        before = self._store.get(Kind.ACTIVITIES, target.place)
        told = {
            "ActivityId": str(uuid.uuid4()),
            "Description": f"Setting provisioned concurrency to {capacity}.",
            "Cause": cause,
            "StartTime": now,
            "EndTime": now,
            "StatusCode": status,
            "StatusMessage": message,
        }
        earlier = before.value["activities"] if before is not None else []
        value = {"activities": [told, *earlier[: _ACTIVITIES_MAX - 1]]}
        await self._store.put(Record(Kind.ACTIVITIES, *target.place, "", value, now))


def _fitted(action: Record) -> Record:
    value = {name: each for name, each in action.value.items() if name != _UNFIT}
    return replace(action, value=value)


async def _note_if_due(action: Record, now: float, due: list[tuple[float, Record]]) -> None:
    value = action.value
    start, end = value.get("StartTime", action.created), value.get("EndTime", inf)
    expression = parse_expression(value["schedule"], value["zone"])
    found = _last_due(expression, value["since"], start, min(now, end))
    if found is not None:
        due.append((found, action))


def _last_due(expression: Expression, since: float, start: float, until: float) -> float | None:
    """The last moment after one and not after another: many are missed in a long downtime."""
    last = expression.after(since, start)
    if last is None or last > until:
        return None
    while until - last > 1.0:
        middle = (last + until) / 2
        later = expression.after(middle, start)
        if later is None or later > until:
            until = middle
        else:
            last = later
    return last


def _function(target: Record) -> tuple[tuple[str, str, str], str]:
    name, qualifier = function_of(target.resource_id)
    return (target.account, target.region, name), qualifier


def _situation(target: Record, current: int, watched: _Watched) -> Situation:
    return Situation(
        list(watched.minutes),
        current,
        target.value["min"],
        target.value["max"],
        watched.last_out,
        watched.last_in,
    )


def _tracking(policy: Record) -> Tracking:
    configuration = policy.value["configuration"]
    return Tracking(
        configuration["TargetValue"],
        configuration.get("ScaleOutCooldown") or 0.0,
        configuration.get("ScaleInCooldown") or 0.0,
        may_scale_in=not configuration.get("DisableScaleIn"),
    )
