"""Evaluates alarms when their periods end, and acts when their states change."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from json import dumps, loads
from math import inf
from typing import Any

from emberbox.clock import Clock, utc
from emberbox.errors import CallerError, EmberboxError
from emberbox.model.alarms import AlarmState, Rule, evaluate, reason
from emberbox.model.request import Params, RequestContext
from emberbox.rounds import Paced, Trouble
from emberbox.services.cloudwatch.alarm_messages import event, history_of, notification
from emberbox.services.cloudwatch.queries import MetricQueries
from emberbox.storage.alarms import HISTORY_KEEP_S, Alarm, AlarmStore, HistoryItem
from emberbox.telemetry.metrics import MetricSink

log = logging.getLogger("emberbox.metrics")

Act = Callable[[str, dict[str, Any], dict[str, Any]], Awaitable[None]]
"""(ARN of an action, message for a topic, event for a function): does it; CallerError if not."""

_LOOK_S = 5.0
_EVERY_S = 60
_SPARE_PERIODS = 2
_NEWEST = 1 << 62
_ACTIONS = {
    AlarmState.OK: "OKActions",
    AlarmState.ALARM: "AlarmActions",
    AlarmState.INSUFFICIENT_DATA: "InsufficientDataActions",
}


class AlarmClock:
    """See the module. `act` is asked for each action of a change."""

    def __init__(
        self, store: AlarmStore, queries: MetricQueries, sink: MetricSink, clock: Clock, act: Act
    ) -> None:
        self._store = store
        self._queries = queries
        self._sink = sink
        self._clock = clock
        self._act = act
        self._evaluated: dict[tuple[str, str, str], int] = {}
        self._has_caught_up = False
        self._looking = Paced(self.look, _LOOK_S, Trouble(log, "alarms cannot be evaluated"))

    def open(self) -> None:
        """Begin to look at alarms."""
        self._looking.open()

    async def close(self) -> None:
        """Stop."""
        await self._looking.close()

    async def look(self) -> None:
        """Evaluate the alarms for which a new period, or a minute, has come."""
        alarms = await self._store.all()
        if not self._has_caught_up:
            for alarm in alarms:
                await self._catch_up(alarm)
            self._has_caught_up = True
        if not alarms:
            return
        await self._sink.flush()
        now = self._clock.now()
        for alarm in alarms:
            place = (alarm.account, alarm.region, alarm.name)
            turn = int(now) // min(_EVERY_S, period_of(alarm.settings))
            if self._evaluated.get(place) != turn:
                self._evaluated[place] = turn
                await self._evaluate(alarm, now)
        known = {(a.account, a.region, a.name) for a in alarms}
        self._evaluated = {place: t for place, t in self._evaluated.items() if place in known}
        await self._store.forget_history(now - HISTORY_KEEP_S)

    async def _evaluate(self, alarm: Alarm, now: float) -> None:
        try:
            points = await self._points(alarm, now)
        except CallerError as error:
            log.warning("alarm %s cannot be evaluated: %s", alarm.name, error)
            return
        rule = rule_of(alarm.settings)
        state = evaluate(rule, points, alarm.state)
        if state is not alarm.state:
            await self.change(alarm, state, reason(rule, points, state), _data(alarm, points, now))

    async def _points(self, alarm: Alarm, now: float) -> list[float | None]:
        settings = alarm.settings
        period = period_of(settings)
        end = int(now) // period * period
        start = end - (settings["EvaluationPeriods"] + _SPARE_PERIODS) * period
        context = RequestContext(
            account=alarm.account,
            region=alarm.region,
            request_id="",
            service="cloudwatch",
            operation="GetMetricData",
            access_key="",
            endpoint="",
        )
        results = await self._queries.run(context, queries_of(settings), start, end)
        series = results[watched_id(settings)].series
        values = series[0] if series else {}
        return [values.get(at) for at in range(start, end, period)]

    async def change(self, alarm: Alarm, state: AlarmState, why: str, data: str) -> None:
        """Move an alarm to another state, keep that in its history, and run its actions."""
        now = self._clock.now()
        after = replace(
            alarm, state=state, reason=why, reason_data=data, state_s=now, updated_s=now
        )
        summary = f"Alarm updated from {alarm.state.value} to {state.value}"
        item = HistoryItem(
            0, alarm.name, now, "StateUpdate", summary, dumps(history_of(alarm, after))
        )
        moved = await self._store.move(after, item)
        if not moved or not alarm.settings.get("ActionsEnabled", True):
            return
        for arn in after.settings.get(_ACTIONS[state], []):
            await self._run_action(arn, alarm, after)

    async def _catch_up(self, alarm: Alarm) -> None:
        """Run the actions of the last change that a server which was killed has not come to.

        Its history has the change, and each action that was run. An alarm that was configured
        since, or whose actions were switched on, has none to run.
        """
        wanted = alarm.settings.get(_ACTIONS[alarm.state], [])
        if not wanted or not alarm.settings.get("ActionsEnabled", True):
            return
        done = set()
        for item in await self._store.history(
            alarm.account,
            alarm.region,
            name=alarm.name,
            kind=None,
            start=alarm.state_s,
            end=inf,
            before=_NEWEST,
            limit=len(wanted) + 1,
        ):
            data = loads(item.data)
            if item.kind == "Action":
                done.add(data["notificationResource"])
            elif item.kind == "StateUpdate" and data["newState"]["stateValue"] == alarm.state.value:
                before = replace(alarm, state=AlarmState(data["oldState"]["stateValue"]))
                for arn in wanted:
                    if arn not in done:
                        await self._run_action(arn, before, alarm)
                return
            else:
                return

    async def _run_action(self, arn: str, before: Alarm, after: Alarm) -> None:
        try:
            await self._act(arn, notification(before, after), event(before, after))
        except (EmberboxError, OSError) as error:
            summary, outcome = f"Failed to execute action {arn}. Received error: {error}", "Failed"
            log.warning("an action of alarm %s failed: %s: %s", after.name, arn, error)
        else:
            summary, outcome = f"Successfully executed action {arn}", "Succeeded"
        data = dumps({"actionState": outcome, "notificationResource": arn, "error": None})
        item = HistoryItem(0, after.name, self._clock.now(), "Action", summary, data)
        await self._store.move(after, item)


def period_of(settings: Any) -> int:
    """Seconds of the period an alarm looks at."""
    if "Metrics" not in settings:
        return int(settings["Period"])
    watched = next(q for q in settings["Metrics"] if q["Id"] == watched_id(settings))
    if "MetricStat" in watched:
        return int(watched["MetricStat"]["Period"])
    periods = [q["MetricStat"]["Period"] for q in settings["Metrics"] if "MetricStat" in q]
    return int(watched.get("Period") or max(periods, default=60))


def watched_id(settings: Any) -> str:
    """The id of the query whose result is compared."""
    if "Metrics" not in settings:
        return "m1"
    return str(next(q["Id"] for q in settings["Metrics"] if q.get("ReturnData", True)))


def queries_of(settings: Any) -> list[Params]:
    """An alarm's metric as queries of GetMetricData."""
    if "Metrics" in settings:
        return list(settings["Metrics"])
    metric = {name: settings[name] for name in ("Namespace", "MetricName")}
    metric["Dimensions"] = settings.get("Dimensions", [])
    stat = {
        "Metric": metric,
        "Period": settings["Period"],
        "Stat": settings.get("Statistic") or settings["ExtendedStatistic"],
    }
    if "Unit" in settings:
        stat["Unit"] = settings["Unit"]
    return [{"Id": "m1", "MetricStat": stat}]


def rule_of(settings: Any) -> Rule:
    """What an alarm compares."""
    periods = settings["EvaluationPeriods"]
    return Rule(
        settings["ComparisonOperator"],
        settings["Threshold"],
        periods,
        settings.get("DatapointsToAlarm", periods),
        settings.get("TreatMissingData", "missing"),
    )


def _data(alarm: Alarm, points: list[float | None], now: float) -> str:
    settings = alarm.settings
    there = [point for point in points if point is not None][-settings["EvaluationPeriods"] :]
    return dumps(
        {
            "version": "1.0",
            "queryDate": f"{utc(now):%Y-%m-%dT%H:%M:%S.000+0000}",
            "statistic": settings.get("Statistic") or settings.get("ExtendedStatistic"),
            "period": period_of(settings),
            "recentDatapoints": there,
            "threshold": settings["Threshold"],
        }
    )
