"""Rules of sampling, which SDKs fetch and follow; each client gets its share of a reservoir.

Source: API reference of X-Ray, operations GetSamplingRules and GetSamplingTargets; "Configuring
sampling rules". Lambda itself follows no rules, here as on AWS.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from emberbox.clock import Clock, utc
from emberbox.errors import CallerError
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.services.xray.refusing import invalid
from emberbox.services.xray.sampling_statistics import SamplingStatistics
from emberbox.services.xray.tagging import tags_of
from emberbox.storage.trace_groups import TraceGroups
from emberbox.storage.traces import Place, SamplingRule, TraceStore

_DEFAULT: Final = "Default"
_RULES_MAX: Final = 25
_INTERVAL_S: Final = 10
_CLIENTS_MAX: Final = 10_000


class SamplingOperations:
    """See the module."""

    def __init__(self, store: TraceStore, clock: Clock, groups: TraceGroups) -> None:
        self._store = store
        self._tags = groups
        self._statistics = SamplingStatistics()
        self._clock = clock
        self._clients: dict[tuple[Place, str, str], float] = {}
        self.operations: Mapping[str, Operation] = {
            "GetSamplingRules": self.get_sampling_rules,
            "GetSamplingTargets": self.get_sampling_targets,
            "GetSamplingStatisticSummaries": self.get_sampling_statistic_summaries,
            "CreateSamplingRule": self.create_sampling_rule,
            "UpdateSamplingRule": self.update_sampling_rule,
            "DeleteSamplingRule": self.delete_sampling_rule,
        }

    async def get_sampling_rules(self, context: RequestContext, _params: Params) -> Params:
        """All rules, by priority; the one named Default is always there."""
        rules = (await self._all(context)).values()
        ordered = sorted(rules, key=lambda each: each.rule["Priority"])
        return {"SamplingRuleRecords": [_shown(each) for each in ordered]}

    async def get_sampling_targets(self, context: RequestContext, params: Params) -> Params:
        """How much each rule lets a client record in the next seconds."""
        rules, now = await self._all(context), self._clock.now()
        targets, unknown = [], []
        place = (context.account, context.region)
        for asked in params["SamplingStatisticsDocuments"]:
            name = asked["RuleName"]
            rule = rules.get(name)
            if rule is None:
                text = "There is no rule of that name."
                unknown.append({"RuleName": name, "ErrorCode": "404", "Message": text})
                continue
            clients = self._count(place, name, asked["ClientID"], now)
            self._statistics.add(place, name, asked, now)
            targets.append(
                {
                    "RuleName": name,
                    "FixedRate": rule.rule["FixedRate"],
                    "ReservoirQuota": rule.rule["ReservoirSize"] // clients,
                    "ReservoirQuotaTTL": utc(now) + timedelta(seconds=_INTERVAL_S),
                    "Interval": _INTERVAL_S,
                }
            )
        return {
            "SamplingTargetDocuments": targets,
            "LastRuleModification": utc(max(each.modified for each in rules.values())),
            "UnprocessedStatistics": unknown,
        }

    async def get_sampling_statistic_summaries(
        self, context: RequestContext, params: Params
    ) -> Params:
        """What clients have told lately, by rule and minute: all on one page."""
        if params.get("NextToken"):
            raise invalid("The token is none of ours.")
        place = (context.account, context.region)
        return {"SamplingStatisticSummaries": self._statistics.shown(place, self._clock.now())}

    async def create_sampling_rule(self, context: RequestContext, params: Params) -> Params:
        """A new rule."""
        given = params["SamplingRule"]
        tags = tags_of(params.get("Tags") or ())
        _check(given)
        name, rules = given.get("RuleName"), await self._all(context)
        if not name:
            raise invalid("A sampling rule needs a RuleName.")
        if name in rules:
            raise invalid(f"A sampling rule of the name {name} is there already.")
        if len(rules) > _RULES_MAX:
            raise CallerError("RuleLimitExceededException", "There are too many rules.", status=400)
        answer = await self._put(context, name, given, self._clock.now())
        arn = answer["SamplingRuleRecord"]["SamplingRule"]["RuleARN"]
        await self._tags.retag((context.account, context.region), arn, tags)
        return answer

    async def update_sampling_rule(self, context: RequestContext, params: Params) -> Params:
        """Change what is given of a rule."""
        given = params["SamplingRuleUpdate"]
        _check(given)
        name, found = await self._named(context, given)
        changed = {**found.rule, **{k: v for k, v in given.items() if k != "RuleARN"}}
        return await self._put(context, name, changed, found.created)

    async def delete_sampling_rule(self, context: RequestContext, params: Params) -> Params:
        """Remove a rule."""
        name, found = await self._named(context, params)
        if name == _DEFAULT:
            raise invalid("The Default rule cannot be deleted.")
        place = (context.account, context.region)
        await self._store.remove_rule(place, name)
        await self._tags.retag(place, found.rule["RuleARN"], {})
        return {"SamplingRuleRecord": _shown(found)}

    async def has(self, context: RequestContext, arn: str) -> bool:
        """Whether a rule has that ARN."""
        return any(each.rule["RuleARN"] == arn for each in (await self._all(context)).values())

    # -- rules --------------------------------------------------------------------------------

    async def _all(self, context: RequestContext) -> dict[str, SamplingRule]:
        stored = await self._store.rules((context.account, context.region))
        first = _default(context)
        return {each.rule["RuleName"]: each for each in (first, *stored)}

    async def _named(self, context: RequestContext, given: Params) -> tuple[str, SamplingRule]:
        arn = given.get("RuleARN") or ""
        name = given.get("RuleName") or arn.rpartition("/")[2]
        found = (await self._all(context)).get(name)
        if found is None:
            raise invalid("There is no sampling rule of that name.")
        return name, found

    async def _put(
        self, context: RequestContext, name: str, given: dict[str, Any], created: float
    ) -> Params:
        arn = f"arn:aws:xray:{context.region}:{context.account}:sampling-rule/{name}"
        shown = {"Attributes": {}, **given, "RuleName": name, "RuleARN": arn}
        rule = SamplingRule(shown, created, self._clock.now())
        await self._store.put_rule((context.account, context.region), name, rule)
        return {"SamplingRuleRecord": _shown(rule)}

    def _count(self, place: Place, rule: str, client: str, now: float) -> int:
        """How many clients have asked for a rule lately, this one among them."""
        if len(self._clients) >= _CLIENTS_MAX:
            self._clients.clear()
        self._clients[place, rule, client] = now
        lately = now - 2 * _INTERVAL_S
        return sum(
            at > lately for (p, r, _), at in self._clients.items() if p == place and r == rule
        )


def _check(given: Params) -> None:
    if given.get("SamplingRateBoost"):
        raise invalid("Emberbox does not build SamplingRateBoost.")


def _default(context: RequestContext) -> SamplingRule:
    return SamplingRule(
        {
            "RuleName": _DEFAULT,
            "RuleARN": f"arn:aws:xray:{context.region}:{context.account}:sampling-rule/{_DEFAULT}",
            "ResourceARN": "*",
            "Priority": 10_000,
            "FixedRate": 0.05,
            "ReservoirSize": 1,
            "ServiceName": "*",
            "ServiceType": "*",
            "Host": "*",
            "HTTPMethod": "*",
            "URLPath": "*",
            "Version": 1,
            "Attributes": {},
        },
        0.0,
        0.0,
    )


def _shown(rule: SamplingRule) -> Params:
    return {
        "SamplingRule": rule.rule,
        "CreatedAt": utc(rule.created),
        "ModifiedAt": utc(rule.modified),
    }
