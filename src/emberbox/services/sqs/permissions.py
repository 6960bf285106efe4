"""AddPermission and RemovePermission: statements of a queue's policy, by label."""

import re
from collections.abc import Mapping
from json import dumps, loads
from typing import Any, Final

from emberbox.errors import CallerError
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.services.sqs.access import Access
from emberbox.services.sqs.broker import Broker
from emberbox.services.sqs.naming import bad_value
from emberbox.storage.queue_records import Queue

_LABEL: Final = re.compile(r"[\w-]{1,80}\Z", re.ASCII)
_ACCOUNT: Final = re.compile(r"\d{12}\Z", re.ASCII)
_ACTIONS: Final = frozenset(
    {
        "*",
        "ChangeMessageVisibility",
        "DeleteMessage",
        "GetQueueAttributes",
        "GetQueueUrl",
        "ListDeadLetterSourceQueues",
        "PurgeQueue",
        "ReceiveMessage",
        "SendMessage",
    }
)
_ACTIONS_MAX: Final = 7


class PermissionOperations:
    """The policy of a queue, statement by statement."""

    def __init__(self, broker: Broker, access: Access) -> None:
        self._broker = broker
        self._access = access

    @property
    def operations(self) -> dict[str, Operation]:
        """By their names in the model."""
        return {
            "AddPermission": self.add_permission,
            "RemovePermission": self.remove_permission,
        }

    async def add_permission(self, context: RequestContext, params: Params) -> Params:
        """Let other accounts do something to a queue."""
        queue = await self._access.queue(context, params["QueueUrl"])
        label = params["Label"]
        _check(params)
        statement = {
            "Sid": label,
            "Effect": "Allow",
            "Principal": {"AWS": _one([_root(a) for a in params["AWSAccountIds"]])},
            "Action": _one([f"SQS:{action}" for action in params["Actions"]]),
            "Resource": queue.key.arn,
        }

        def change(attributes: Mapping[str, str]) -> Mapping[str, str]:
            policy = _policy(queue, attributes)
            if any(each.get("Sid") == label for each in policy["Statement"]):
                raise bad_value(label, "Label", "Already exists.")
            policy["Statement"].append(statement)
            return {**attributes, "Policy": dumps(policy)}

        await self._change(queue, change)
        return {}

    async def remove_permission(self, context: RequestContext, params: Params) -> Params:
        """Take back what was allowed under a label."""
        queue = await self._access.queue(context, params["QueueUrl"])
        label = params["Label"]

        def change(attributes: Mapping[str, str]) -> Mapping[str, str]:
            policy = _policy(queue, attributes)
            left = [each for each in policy["Statement"] if each.get("Sid") != label]
            if len(left) == len(policy["Statement"]):
                raise bad_value(label, "Label", "can't find label on existing policy.")
            rest = {name: value for name, value in attributes.items() if name != "Policy"}
            return {**rest, "Policy": dumps({**policy, "Statement": left})} if left else rest

        await self._change(queue, change)
        return {}

    async def _change(self, queue: Queue, change: Any) -> None:
        await self._broker.queues.change(queue, self._broker.now_ms() // 1_000, attributes=change)


def _check(params: Params) -> None:
    if not _LABEL.match(params["Label"]):
        raise bad_value(
            params["Label"],
            "Label",
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length.",
        )
    if not params["AWSAccountIds"] or not params["Actions"]:
        raise CallerError(
            "MissingParameter", "The request must contain the parameter Actions.", status=400
        )
    for account in params["AWSAccountIds"]:
        if not _ACCOUNT.match(account):
            raise bad_value(account, "PrincipalId", "Unable to verify.")
    if len(params["Actions"]) > _ACTIONS_MAX:
        raise CallerError(
            "OverLimit",
            f"{len(params['Actions'])} Actions were found, maximum allowed is {_ACTIONS_MAX}.",
            status=403,
        )
    for action in params["Actions"]:
        if action not in _ACTIONS:
            raise bad_value(
                f"SQS:{action}",
                "ActionName",
                "Only the queue owner is allowed to invoke this action.",
            )


def _policy(queue: Queue, attributes: Mapping[str, str]) -> dict[str, Any]:
    empty = {
        "Version": "2008-10-17",
        "Id": f"{queue.key.arn}/SQSDefaultPolicy",
        "Statement": [],
    }
    policy: dict[str, Any] = loads(attributes["Policy"]) if "Policy" in attributes else empty
    statements = policy.get("Statement", [])
    listed = list(statements) if isinstance(statements, list) else [statements]
    return {**policy, "Statement": listed}


def _root(account: str) -> str:
    return f"arn:aws:iam::{account}:root"


def _one(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values
