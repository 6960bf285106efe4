"""Which queue a request is for, and whether the caller may use it.

A queue of another account is there only for whom its policy allows.
"""

from typing import Final

from emberbox.errors import CallerError
from emberbox.model.policy.principals import root
from emberbox.model.policy.resource import resource_policy_allows
from emberbox.model.request import RequestContext
from emberbox.services.sqs.naming import queue_at
from emberbox.storage.queue_records import Queue
from emberbox.storage.queues import QueueStore

_OWNERS_ONLY: Final = frozenset(
    {
        "AddPermission",
        "CancelMessageMoveTask",
        "DeleteQueue",
        "ListMessageMoveTasks",
        "ListQueueTags",
        "RemovePermission",
        "SetQueueAttributes",
        "StartMessageMoveTask",
        "TagQueue",
        "UntagQueue",
    }
)


class Access:
    """Finds queues for operations."""

    def __init__(self, queues: QueueStore) -> None:
        self._queues = queues

    async def queue(self, context: RequestContext, url: str) -> Queue:
        """The queue; MissingQueueError if there is none, CallerError if it is not the caller's."""
        queue = queue_at(self._queues, context, url)
        self.check(context, queue)
        return queue

    def check(self, context: RequestContext, queue: Queue) -> None:
        """CallerError unless the caller may do what it asks for to this queue."""
        operation = context.operation.removesuffix("Batch")
        if queue.key.account == context.account:
            return
        policy = queue.attributes.get("Policy")
        if operation not in _OWNERS_ONLY and resource_policy_allows(
            policy, root(context.account), f"sqs:{operation}", queue.key.arn
        ):
            return
        raise CallerError(
            "AccessDeniedException",
            f"User: arn:aws:iam::{context.account}:root is not authorized to perform: "
            f"sqs:{operation.lower()} on resource: {queue.key.arn} because no resource-based "
            f"policy allows the sqs:{operation.lower()} action",
            status=403,
        )
