"""The targets of rules: put, remove, list."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from emberbox.errors import CallerError
from emberbox.model.event_bus import DEFAULT, TARGETS_MAX, Rule, invalid
from emberbox.model.input_transform import TransformError, check_transformer, parse_path
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.services.events.naming import page
from emberbox.services.events.rules import RuleOperations, key_of, missing_rule
from emberbox.services.targets.senders import kind_of
from emberbox.storage.shelf import Shelf

_INPUTS: Final = ("Input", "InputPath", "InputTransformer")
_UNBUILT: Final = (
    "KinesisParameters",
    "RunCommandParameters",
    "EcsParameters",
    "BatchParameters",
    "RedshiftDataParameters",
    "SageMakerPipelineParameters",
    "AppSyncParameters",
)


class TargetOperations:
    """What is done to targets."""

    def __init__(self, rules: Shelf[Rule], finding: RuleOperations) -> None:
        self._rules = rules
        self._finding = finding

    @property
    def operations(self) -> dict[str, Operation]:
        """By their names in the model."""
        return {
            "ListTargetsByRule": self.list_targets_by_rule,
            "PutTargets": self.put_targets,
            "RemoveTargets": self.remove_targets,
        }

    async def put_targets(self, context: RequestContext, params: Params) -> Params:
        """Add or replace targets of a rule."""
        rule = self._finding.rule(context, params.get("EventBusName"), params["Rule"])
        targets = {target["Id"]: target for target in params["Targets"]}
        for target in targets.values():
            _check(target, rule)

        def alter(found: Rule | None) -> Rule:
            if found is None:
                raise missing_rule(rule.name, rule.bus)
            merged = {**found.targets, **targets}
            if len(merged) > TARGETS_MAX:
                raise CallerError(
                    "LimitExceededException",
                    "The requested resource exceeds the maximum number allowed.",
                    status=400,
                )
            return replace(found, targets=merged)

        await self._rules.put(key_of(rule), alter)
        return {"FailedEntryCount": 0, "FailedEntries": []}

    async def remove_targets(self, context: RequestContext, params: Params) -> Params:
        """Remove targets of a rule; those that are not there are told."""
        rule = self._finding.rule(context, params.get("EventBusName"), params["Rule"])
        gone = list(dict.fromkeys(params["Ids"]))

        def alter(found: Rule | None) -> Rule:
            if found is None:
                raise missing_rule(rule.name, rule.bus)
            kept = {id_: each for id_, each in found.targets.items() if id_ not in gone}
            return replace(found, targets=kept)

        failed = [
            {
                "TargetId": id_,
                "ErrorCode": "ResourceNotFoundException",
                "ErrorMessage": f"Rule {rule.name} does not have a target with the Id {id_}.",
            }
            for id_ in gone
            if id_ not in rule.targets
        ]
        await self._rules.put(key_of(rule), alter)
        return {"FailedEntryCount": len(failed), "FailedEntries": failed}

    async def list_targets_by_rule(self, context: RequestContext, params: Params) -> Params:
        """The targets of a rule."""
        rule = self._finding.rule(context, params.get("EventBusName"), params["Rule"])
        return page(list(rule.targets.values()), params, "Targets", dict)


def _check(target: Mapping[str, Any], rule: Rule) -> None:
    """CallerError for a target that could not be served."""
    id_, arn = target["Id"], target["Arn"]
    kind = kind_of(arn)
    if not kind or kind == "universal":
        raise invalid(
            f"Parameter {arn} is not valid. Reason: Emberbox sends to functions, queues, topics, "
            "log groups, event buses and API destinations."
        )
    for member in _UNBUILT:
        if target.get(member):
            raise invalid(f"Parameter {member} is not valid for target {id_}.")
    if sum(target.get(member) is not None for member in _INPUTS) > 1:
        raise invalid(
            f"Only one of Input, InputPath, or InputTransformer must be provided for target {id_}."
        )
    if arn.endswith(".fifo") and not (target.get("SqsParameters") or {}).get("MessageGroupId"):
        raise invalid(f"Parameter(s) SqsParameters must be specified for target: {id_}.")
    if kind == "api" and not target.get("RoleArn"):
        raise invalid(f"Parameter(s) RoleArn must be specified for target: {id_}.")
    if kind == "bus" and arn.rpartition("/")[2] == rule.bus and _is_here(arn, rule):
        raise invalid(f"Target {id_} is the bus {rule.bus or DEFAULT} of the rule itself.")
    _check_input(target)


def _is_here(arn: str, rule: Rule) -> bool:
    return arn.split(":")[3:5] == [rule.region, rule.account]


def _check_input(target: Mapping[str, Any]) -> None:
    try:
        if target.get("InputPath") is not None:
            parse_path(target["InputPath"])
        if target.get("InputTransformer") is not None:
            transformer = target["InputTransformer"]
            check_transformer(transformer.get("InputPathsMap") or {}, transformer["InputTemplate"])
    except TransformError as error:
        raise invalid(f"{error} (target {target['Id']})") from None
