"""Rules: put, describe, list, switch, delete; and TestEventPattern."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from emberbox.clock import Clock
from emberbox.errors import CallerError
from emberbox.model.cron import ScheduleError
from emberbox.model.event_bus import (
    DEFAULT,
    DISABLED,
    ENABLED,
    ENTRIES_MAX_BYTES,
    Rule,
    invalid,
    not_found,
)
from emberbox.model.event_pattern import EventPattern
from emberbox.model.event_tests import PatternError
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.model.schedules import Expression, parse_expression
from emberbox.services.events.naming import Buses, page, present, tags_of
from emberbox.storage.database import Transaction
from emberbox.storage.shelf import Shelf, ShelfKey

_REQUIRED: Final = ("id", "account", "source", "time", "region", "resources", "detail-type")
_PATTERN_MAX: Final = 4_096

Alter = Callable[[Rule | None], Rule]


class RuleOperations:
    """What is done to rules."""

    def __init__(self, buses: Buses, rules: Shelf[Rule], clock: Clock) -> None:
        self._buses = buses
        self._rules = rules
        self._clock = clock

    @property
    def operations(self) -> dict[str, Operation]:
        """By their names in the model."""
        return {
            "DeleteRule": self.delete_rule,
            "DescribeRule": self.describe_rule,
            "DisableRule": self.disable_rule,
            "EnableRule": self.enable_rule,
            "ListRuleNamesByTarget": self.list_rule_names_by_target,
            "ListRules": self.list_rules,
            "PutRule": self.put_rule,
            "TestEventPattern": self.try_event_pattern,
        }

    async def put_rule(self, context: RequestContext, params: Params) -> Params:
        """Add a rule, or replace all of it but its targets and tags."""
        bus = self._buses.named(context, params.get("EventBusName"))
        pattern, schedule = params.get("EventPattern") or "", params.get("ScheduleExpression") or ""
        if not pattern and not schedule:
            raise invalid("Parameter(s) EventPattern or ScheduleExpression must be specified.")
        if schedule and bus.name != DEFAULT:
            raise invalid("ScheduleExpression is supported only on the default event bus.")
        check_pattern(pattern)
        expression = _expression(schedule)
        now = self._clock.now()
        fresh = Rule(
            context.account,
            context.region,
            bus.name,
            params["Name"],
            now,
            pattern,
            schedule,
            params.get("State") or ENABLED,
            params.get("Description") or "",
            params.get("RoleArn") or "",
            tags_of(params.get("Tags")),
        )

        def alter(found: Rule | None) -> Rule:
            if found is None:
                return fresh
            return replace(fresh, tags=found.tags, targets=found.targets)

        await self._put(fresh, alter, expression)
        return {"RuleArn": fresh.arn}

    async def delete_rule(self, context: RequestContext, params: Params) -> Params:
        """Remove a rule that has no targets; one that is not there is no error."""
        key = self.key(context, params.get("EventBusName"), params["Name"])
        found = self._rules.get(key)
        if found is not None and found.targets:
            raise invalid("Rule can't be deleted since it has targets.")
        await self._rules.remove(key, lambda tx: tx.run("clock_remove", **key._asdict()))
        return {}

    async def describe_rule(self, context: RequestContext, params: Params) -> Params:
        """One rule."""
        rule = self.rule(context, params.get("EventBusName"), params["Name"])
        return shown(rule) | {"CreatedBy": rule.account}

    async def enable_rule(self, context: RequestContext, params: Params) -> Params:
        """Let a rule work again."""
        return await self._switch(context, params, ENABLED)

    async def disable_rule(self, context: RequestContext, params: Params) -> Params:
        """Keep a rule from working."""
        return await self._switch(context, params, DISABLED)

    async def list_rules(self, context: RequestContext, params: Params) -> Params:
        """The rules of a bus."""
        bus = self._buses.named(context, params.get("EventBusName"))
        prefix = params.get("NamePrefix") or ""
        found = [r for r in self.of_bus(context, bus.name) if r.name.startswith(prefix)]
        return page(found, params, "Rules", shown)

    async def list_rule_names_by_target(self, context: RequestContext, params: Params) -> Params:
        """The rules of a bus that have a target."""
        bus = self._buses.named(context, params.get("EventBusName"))
        wanted = params["TargetArn"]
        found = [
            rule.name
            for rule in self.of_bus(context, bus.name)
            if any(target["Arn"] == wanted for target in rule.targets.values())
        ]
        return page(found, params, "RuleNames", str)

    async def try_event_pattern(self, _context: RequestContext, params: Params) -> Params:
        """Whether an event would match a pattern."""
        pattern = check_pattern(params["EventPattern"])
        if len(params["Event"]) > ENTRIES_MAX_BYTES:
            raise invalid("Parameter Event is not valid. Reason: it is too large.")
        try:
            event = json.loads(params["Event"])
        except (ValueError, RecursionError):
            event = None
        if not isinstance(event, dict):
            raise invalid("Parameter Event is not valid. Reason: it is no JSON object.")
        missing = [name for name in _REQUIRED if name not in event]
        if missing:
            raise invalid(f"Parameter Event is not valid. Reason: it has no {missing[0]}.")
        if pattern is None:
            return {"Result": True}
        return {"Result": await asyncio.to_thread(pattern.matches, event)}

    def key(self, context: RequestContext, bus: str | None, name: str) -> ShelfKey:
        """The key of a rule of the caller's."""
        found = self._buses.named(context, bus)
        return ShelfKey(context.account, context.region, f"{found.name}/{name}")

    def rule(self, context: RequestContext, bus: str | None, name: str) -> Rule:
        """A rule of the caller's, or CallerError."""
        key = self.key(context, bus, name)
        found = self._rules.get(key)
        if found is None:
            raise missing_rule(name, key.name.partition("/")[0])
        return found

    def of_bus(self, context: RequestContext, bus: str) -> list[Rule]:
        """The rules of a bus of the caller's, by name."""
        where = (context.account, context.region, bus)
        found = [r for r in self._rules.mirror if (r.account, r.region, r.bus) == where]
        return sorted(found, key=lambda rule: rule.name)

    async def _switch(self, context: RequestContext, params: Params, state: str) -> Params:
        rule = self.rule(context, params.get("EventBusName"), params["Name"])
        expression = _expression(rule.schedule) if rule.schedule else None
        now = self._clock.now()

        def alter(found: Rule | None) -> Rule:
            if found is None:
                raise missing_rule(rule.name, rule.bus)
            return replace(found, state=state, begun=now)

        await self._put(rule, alter, expression)
        return {}

    async def _put(self, rule: Rule, alter: Alter, expression: Expression | None) -> None:
        key = key_of(rule)

        def work(tx: Transaction) -> Rule:
            after = self._rules.put_in(tx, key, alter)
            due = expression.after(after.begun, _first(after, expression)) if expression else None
            if due is None or not after.is_enabled:
                tx.run("clock_remove", **key._asdict())
            else:
                tx.run("clock_put", **key._asdict(), next=due)
            return after

        await self._rules.mirror.write(key, work)


def key_of(rule: Rule) -> ShelfKey:
    """The key of a rule."""
    return ShelfKey(rule.account, rule.region, f"{rule.bus}/{rule.name}")


def next_due(rule: Rule, moment: float) -> float | None:
    """When a scheduled rule is due after a moment."""
    expression = _expression(rule.schedule)
    return expression.after(moment, _first(rule, expression)) if expression else None


def _first(rule: Rule, expression: Expression) -> float:
    """The moment that rates count from: one interval after the rule began."""
    return rule.begun + getattr(expression, "every_s", 0)


def _expression(text: str) -> Expression | None:
    if not text:
        return None
    try:
        found = parse_expression(text)
    except ScheduleError:
        found = None
    if found is None or found.is_once:
        raise invalid("Parameter ScheduleExpression is not valid.")
    return found


def check_pattern(text: str) -> EventPattern | None:
    """The pattern of a text, None of an empty one; CallerError if it is none."""
    if not text:
        return None
    if len(text) > _PATTERN_MAX:
        raise _bad_pattern(f"it is longer than {_PATTERN_MAX} characters")
    try:
        return EventPattern(text)
    except PatternError as error:
        raise _bad_pattern(str(error)) from None


def _bad_pattern(reason: str) -> CallerError:
    return CallerError(
        "InvalidEventPatternException", f"Event pattern is not valid. Reason: {reason}", status=400
    )


def missing_rule(name: str, bus: str) -> CallerError:
    """The error that there is no such rule."""
    return not_found(f"Rule {name} does not exist on EventBus {bus}.")


def shown(rule: Rule) -> Params:
    """A rule as the wire has it."""
    return present(
        {
            "Name": rule.name,
            "Arn": rule.arn,
            "EventPattern": rule.pattern,
            "ScheduleExpression": rule.schedule,
            "State": rule.state,
            "Description": rule.description,
            "RoleArn": rule.role,
            "EventBusName": rule.bus,
        }
    )
