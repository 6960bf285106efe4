"""Queues as resources: create, find, list, change, purge, delete, tag."""

from collections.abc import Mapping
from typing import Final

from emberbox.errors import CallerError
from emberbox.model.page_tokens import from_token, to_token
from emberbox.model.queue_settings import (
    READABLE,
    allowed_sources,
    bad_redrive,
    changed_attributes,
    check_queue_name,
    new_attributes,
    settings_of,
)
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.services.sqs.access import Access
from emberbox.services.sqs.broker import Broker
from emberbox.services.sqs.naming import bad_value, in_range, queue_url
from emberbox.storage.queue_records import Queue, QueueKey

_PAGE_MAX: Final = 1_000
_PURGE_PAUSE_MS: Final = 60_000
_TAGS_MAX: Final = 50


class QueueOperations:
    """What is done to queues as a whole."""

    def __init__(self, broker: Broker, access: Access) -> None:
        self._broker = broker
        self._queues = broker.queues
        self._access = access

    @property
    def operations(self) -> dict[str, Operation]:
        """By their names in the model."""
        return {
            "CreateQueue": self.create_queue,
            "DeleteQueue": self.delete_queue,
            "GetQueueAttributes": self.get_queue_attributes,
            "GetQueueUrl": self.get_queue_url,
            "ListDeadLetterSourceQueues": self.list_dead_letter_source_queues,
            "ListQueueTags": self.list_queue_tags,
            "ListQueues": self.list_queues,
            "PurgeQueue": self.purge_queue,
            "SetQueueAttributes": self.set_queue_attributes,
            "TagQueue": self.tag_queue,
            "UntagQueue": self.untag_queue,
        }

    async def create_queue(self, context: RequestContext, params: Params) -> Params:
        """Add a queue; one that is there already must not differ in what is asked for."""
        asked, tags = params.get("Attributes", {}), params.get("tags", {})
        key = QueueKey(context.account, context.region, params["QueueName"])
        attributes = new_attributes(asked)
        check_queue_name(key.name, is_fifo="FifoQueue" in attributes)
        found = self._queues.get(key)
        if found is None:
            self._check_redrive(key, attributes)
            _check_tags(tags)
            now_s = self._broker.now_ms() // 1_000
            found = await self._queues.create(key, attributes, tags, now_s)
        for name, value in asked.items():
            if found.attributes.get(name, "") != attributes.get(name, value):
                raise CallerError(
                    "QueueNameExists",
                    "A queue already exists with the same name and a different value for "
                    f"attribute {name}",
                    status=400,
                )
        return {"QueueUrl": queue_url(context, key)}

    async def delete_queue(self, context: RequestContext, params: Params) -> Params:
        """Remove a queue and all that is in it."""
        await self._queues.delete(await self._access.queue(context, params["QueueUrl"]))
        return {}

    async def get_queue_url(self, context: RequestContext, params: Params) -> Params:
        """The URL of a queue, also of another account that allows it."""
        account = params.get("QueueOwnerAWSAccountId", context.account)
        key = QueueKey(account, context.region, params["QueueName"])
        self._access.check(context, self._queues.at(key))
        return {"QueueUrl": queue_url(context, key)}

    async def list_queues(self, context: RequestContext, params: Params) -> Params:
        """The queues of the caller's account by name, in pages if asked to."""
        prefix = params.get("QueueNamePrefix", "")
        queues = [
            queue
            for queue in self._queues.of(context.account, context.region)
            if queue.key.name.startswith(prefix)
        ]
        return _page(context, params, queues, "QueueUrls")

    async def list_dead_letter_source_queues(
        self, context: RequestContext, params: Params
    ) -> Params:
        """The queues whose dead letters go to this one."""
        target = await self._access.queue(context, params["QueueUrl"])
        return {"queueUrls": []} | _page(context, params, self.sources_of(target), "queueUrls")

    def sources_of(self, target: Queue) -> list[Queue]:
        """The queues of the same account whose dead letters go to this one."""
        return [
            queue
            for queue in self._queues.of(target.key.account, target.key.region)
            if queue.settings.redrive is not None
            and queue.settings.redrive.target_arn == target.key.arn
        ]

    async def get_queue_attributes(self, context: RequestContext, params: Params) -> Params:
        """The attributes that are asked for, and present."""
        queue = await self._access.queue(context, params["QueueUrl"])
        names = params.get("AttributeNames", [])
        for name in names:
            if name not in READABLE:
                raise CallerError("InvalidAttributeName", f"Unknown Attribute {name}.", status=400)
        if not names:
            return {}
        known = await self._all_attributes(queue, counted=_wants_counts(names))
        return {
            "Attributes": known
            if "All" in names
            else {name: known[name] for name in names if name in known}
        }

    async def _all_attributes(self, queue: Queue, *, counted: bool) -> dict[str, str]:
        known = dict(queue.attributes) | {
            "QueueArn": queue.key.arn,
            "CreatedTimestamp": str(queue.created_s),
            "LastModifiedTimestamp": str(queue.modified_s),
        }
        if counted:
            counts = await self._broker.counts(queue)
            known["ApproximateNumberOfMessages"] = str(counts.visible)
            known["ApproximateNumberOfMessagesNotVisible"] = str(counts.in_flight)
            known["ApproximateNumberOfMessagesDelayed"] = str(counts.delayed)
        return known

    async def set_queue_attributes(self, context: RequestContext, params: Params) -> Params:
        """Change attributes; those of messages that are there already stay as they were."""
        queue = await self._access.queue(context, params["QueueUrl"])
        asked = params["Attributes"]
        if "FifoQueue" in asked and asked["FifoQueue"] != queue.attributes.get("FifoQueue"):
            raise CallerError("InvalidAttributeName", "Unknown Attribute FifoQueue.", status=400)

        def change(current: Mapping[str, str]) -> Mapping[str, str]:
            attributes = changed_attributes(current, asked)
            if "RedrivePolicy" in asked:
                self._check_redrive(queue.key, attributes)
            return attributes

        await self._queues.change(queue, self._broker.now_ms() // 1_000, attributes=change)
        return {}

    def _check_redrive(self, key: QueueKey, attributes: Mapping[str, str]) -> None:
        """CallerError unless the dead-letter queue is there, of the same kind, and willing."""
        settings = settings_of(attributes)
        if settings.redrive is None:
            return
        policy = attributes["RedrivePolicy"]
        target = self._broker.queue_by_arn(settings.redrive.target_arn)
        if target is None or target.key[:2] != key[:2]:
            raise bad_redrive(policy, "Dead letter target does not exist.")
        if target.settings.is_fifo != settings.is_fifo:
            raise bad_redrive(policy, "Dead-letter queue must be same type of queue as the source.")
        sources = allowed_sources(target.attributes)
        if sources is not None and key.arn not in sources:
            raise bad_redrive(
                policy, "Queue does not have permission to use the dead letter target."
            )

    async def purge_queue(self, context: RequestContext, params: Params) -> Params:
        """Remove all messages, at most once a minute."""
        queue = await self._access.queue(context, params["QueueUrl"])
        if self._broker.now_ms() - queue.purged_ms < _PURGE_PAUSE_MS:
            raise CallerError(
                "PurgeQueueInProgress",
                f"Only one PurgeQueue operation on {queue.key.name} is allowed every 60 seconds.",
                status=403,
            )
        await self._broker.purge(queue)
        return {}

    async def list_queue_tags(self, context: RequestContext, params: Params) -> Params:
        """The tags of a queue."""
        queue = await self._access.queue(context, params["QueueUrl"])
        return {"Tags": dict(queue.tags)} if queue.tags else {}

    async def tag_queue(self, context: RequestContext, params: Params) -> Params:
        """Add or replace tags."""

        def change(tags: Mapping[str, str]) -> Mapping[str, str]:
            more: dict[str, str] = dict(tags) | params["Tags"]
            _check_tags(more)
            return more

        queue = await self._access.queue(context, params["QueueUrl"])
        await self._queues.change(queue, queue.modified_s, tags=change)
        return {}

    async def untag_queue(self, context: RequestContext, params: Params) -> Params:
        """Remove tags."""
        gone = frozenset(params["TagKeys"])

        def change(tags: Mapping[str, str]) -> Mapping[str, str]:
            return {name: value for name, value in tags.items() if name not in gone}

        queue = await self._access.queue(context, params["QueueUrl"])
        await self._queues.change(queue, queue.modified_s, tags=change)
        return {}


def _wants_counts(names: list[str]) -> bool:
    return any(name == "All" or name.startswith("Approximate") for name in names)


def _check_tags(tags: Mapping[str, str]) -> None:
    if len(tags) > _TAGS_MAX:
        raise bad_value(len(tags), "Tags", f"A queue can have no more than {_TAGS_MAX} tags.")
    for name, value in tags.items():
        if not 1 <= len(name) <= 128 or len(value) > 256:
            raise bad_value(
                name, "Tags", "Tag keys have 1 to 128 characters, values no more than 256."
            )


def _page(context: RequestContext, params: Params, queues: list[Queue], member: str) -> Params:
    limit = in_range(params, "MaxResults", 1, _PAGE_MAX, "Must be between 1 and 1000.")
    token = params.get("NextToken")
    if token:
        after = from_token(token)
        if after is None:
            raise bad_value(token, "NextToken", "Invalid or expired next token.")
        queues = [queue for queue in queues if queue.key.name > after]
    shown = queues[: limit or _PAGE_MAX]
    answer: Params = {}
    if shown:
        answer[member] = [queue_url(context, queue.key) for queue in shown]
    if limit is not None and len(queues) > len(shown):
        answer["NextToken"] = to_token(shown[-1].key.name)
    return answer
