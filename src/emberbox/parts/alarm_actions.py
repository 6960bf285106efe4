"""Whom alarms can tell: topics and functions, where their own policies let CloudWatch in."""

from typing import Any

import orjson

from emberbox.errors import CallerError
from emberbox.gateway.guard import ResourcePolicies
from emberbox.invoke.async_entry import AsyncEntry
from emberbox.invoke.cross_account import Attachments
from emberbox.invoke.delivery_rights import may_deliver
from emberbox.model.names import BadNameError, parse_function_arn
from emberbox.model.policy.evaluation import Policies, Request, decide
from emberbox.model.policy.principals import service
from emberbox.services.cloudwatch.actions import Actions
from emberbox.services.cloudwatch.alarm_messages import subject_of
from emberbox.services.sns.service import SnsService
from emberbox.settings import AuthMode

_TO_FUNCTIONS = "lambda.alarms.cloudwatch.amazonaws.com"
_TO_TOPICS = "cloudwatch.amazonaws.com"
_PUBLISH = "sns:Publish"


def connect_actions(
    actions: Actions,
    sns: SnsService,
    entry: AsyncEntry,
    attachments: Attachments,
    topic_policies: ResourcePolicies,
    mode: AuthMode,
) -> None:
    """Give alarms the ways to topics and functions."""
    is_enforced = mode is AuthMode.ENFORCED

    async def tell_topic(arn: str, message: dict[str, Any]) -> None:
        alarm = str(message["AlarmArn"])
        if is_enforced and not await may_publish(topic_policies, alarm, arn):
            raise _denied(f"{_TO_TOPICS} may not publish to {arn}")
        await sns.tell(arn, orjson.dumps(message).decode(), subject=subject_of(message))

    async def tell_function(arn: str, event: dict[str, Any]) -> None:
        alarm = str(event["alarmArn"])
        if is_enforced and not may_invoke(attachments, alarm, arn):
            raise _denied(f"{_TO_FUNCTIONS} may not invoke {arn}")
        await entry.send(arn, orjson.dumps(event))

    actions.topics, actions.functions = tell_topic, tell_function


def may_invoke(attachments: Attachments, alarm_arn: str, function_arn: str) -> bool:
    """Whether the function's policy lets alarms invoke it for this one."""
    try:
        found = parse_function_arn(function_arn)
    except BadNameError:
        return False
    return may_deliver(
        attachments,
        _TO_FUNCTIONS,
        (found.account or "", found.region or "", found.name),
        found.qualifier,
        source_arn=alarm_arn,
        source_account=alarm_arn.split(":")[4],
    )


async def may_publish(topics: ResourcePolicies, alarm_arn: str, topic_arn: str) -> bool:
    """Whether the topic's policy lets CloudWatch publish to it for this alarm.

    A topic without a policy of its own has SNS's default one: its account's alarms may.
    """
    account, owner = alarm_arn.split(":")[4], topic_arn.split(":")[4]
    policies = tuple(await topics(topic_arn))
    if not policies:
        return account == owner
    context = {
        "aws:sourcearn": (alarm_arn,),
        "aws:sourceaccount": (account,),
        "aws:sourceowner": (account,),
        "aws:principalisawsservice": ("true",),
        "aws:principalservicename": (_TO_TOPICS,),
    }
    request = Request(service(_TO_TOPICS), _PUBLISH, topic_arn, owner, context)
    return decide(request, Policies(resource=policies)).is_allowed


def _denied(text: str) -> CallerError:
    return CallerError("AccessDeniedException", text, status=403)
