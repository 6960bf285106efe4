"""Topics as resources: create, list, change, delete, tag, permissions, data protection."""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from emberbox.errors import CallerError
from emberbox.model.page_tokens import to_token
from emberbox.model.request import Operation, Params, RequestContext
from emberbox.model.topic import Topic, TopicKey, invalid_parameter
from emberbox.services.sns.access import topic_for
from emberbox.services.sns.attributes import check_topic, shown_topic
from emberbox.services.sns.naming import PAGE, after, topic_key
from emberbox.storage.topics import TopicStore

_NAME: Final = re.compile(r"[\w-]{1,256}\Z", re.ASCII)
_TAGS_MAX: Final = 50


class TopicOperations:
    """What is done to topics."""

    def __init__(self, store: TopicStore) -> None:
        self._store = store

    @property
    def operations(self) -> dict[str, Operation]:
        """By their names in the model."""
        return {
            "AddPermission": self.add_permission,
            "CreateTopic": self.create_topic,
            "DeleteTopic": self.delete_topic,
            "GetDataProtectionPolicy": self.get_data_protection_policy,
            "GetTopicAttributes": self.get_topic_attributes,
            "ListTagsForResource": self.list_tags_for_resource,
            "ListTopics": self.list_topics,
            "PutDataProtectionPolicy": self.put_data_protection_policy,
            "RemovePermission": self.remove_permission,
            "SetTopicAttributes": self.set_topic_attributes,
            "TagResource": self.tag_resource,
            "UntagResource": self.untag_resource,
        }

    async def create_topic(self, context: RequestContext, params: Params) -> Params:
        """Add a topic; one that is there already must not differ in what is asked for."""
        asked = dict(params.get("Attributes") or {})
        tags = {tag["Key"]: tag["Value"] for tag in params.get("Tags") or []}
        is_fifo = asked.get("FifoTopic") == "true"
        key = TopicKey(context.account, context.region, params["Name"])
        _check_name(key.name, is_fifo=is_fifo)
        check_topic(asked, is_fifo=is_fifo)
        _check_tags(tags)
        protection = params.get("DataProtectionPolicy") or ""
        _check_protection(protection)
        if not is_fifo:
            asked.pop("FifoTopic", None)

        def alter(found: Topic | None) -> Topic:
            if found is None:
                return Topic(key, asked, tags, protection)
            if any(found.attributes.get(n) != v for n, v in asked.items()):
                raise invalid_parameter(
                    "Attributes Reason: Topic already exists with different attributes"
                )
            if tags and tags != found.tags:
                raise invalid_parameter("Tags Reason: Topic already exists with different tags")
            return found

        await self._store.put_topic(key, alter)
        return {"TopicArn": key.arn}

    async def delete_topic(self, context: RequestContext, params: Params) -> Params:
        """Remove a topic and its subscriptions; one that is not there is no error."""
        key = topic_key(params["TopicArn"])
        if self._store.topics.get(key) is not None:
            topic_for(self._store, context, params["TopicArn"])
            await self._store.remove_topic(key)
        return {}

    async def list_topics(self, context: RequestContext, params: Params) -> Params:
        """The topics of the caller's account, a hundred at a time."""
        start = after(params.get("NextToken"))
        found = [
            topic
            for topic in self._store.of_account(context.account, context.region)
            if topic.key.name > start
        ]
        answer: Params = {"Topics": [{"TopicArn": topic.key.arn} for topic in found[:PAGE]]}
        if len(found) > PAGE:
            answer["NextToken"] = to_token(found[PAGE - 1].key.name)
        return answer

    async def get_topic_attributes(self, context: RequestContext, params: Params) -> Params:
        """All attributes of a topic."""
        topic = topic_for(self._store, context, params["TopicArn"])
        counts = Counter(each.is_confirmed for each in self._store.of_topic(topic.key))
        return {"Attributes": shown_topic(topic, counts)}

    async def set_topic_attributes(self, context: RequestContext, params: Params) -> Params:
        """Change one attribute."""
        topic = topic_for(self._store, context, params["TopicArn"])
        name, value = params["AttributeName"], params.get("AttributeValue") or ""
        check_topic({name: value}, is_fifo=topic.is_fifo)
        if name == "FifoTopic":
            raise invalid_parameter("AttributeName: FifoTopic")
        await self._change(topic, lambda now: _with(now, {name: value}))
        return {}

    async def get_data_protection_policy(self, context: RequestContext, params: Params) -> Params:
        """The policy as it was put."""
        topic = topic_for(self._store, context, params["ResourceArn"])
        return {"DataProtectionPolicy": topic.data_protection}

    async def put_data_protection_policy(self, context: RequestContext, params: Params) -> Params:
        """Keep a policy; nothing is looked for in messages."""
        topic = topic_for(self._store, context, params["ResourceArn"])
        text = params["DataProtectionPolicy"]
        _check_protection(text)
        await self._change(topic, lambda now: replace(now, data_protection=text))
        return {}

    async def list_tags_for_resource(self, context: RequestContext, params: Params) -> Params:
        """The tags of a topic."""
        topic = self._tagged(context, params)
        return {"Tags": [{"Key": name, "Value": value} for name, value in topic.tags.items()]}

    async def tag_resource(self, context: RequestContext, params: Params) -> Params:
        """Add or replace tags."""
        topic = self._tagged(context, params)
        more = {tag["Key"]: tag["Value"] for tag in params["Tags"]}

        def change(now: Topic) -> Topic:
            tags = {**now.tags, **more}
            _check_tags(tags)
            return replace(now, tags=tags)

        await self._change(topic, change)
        return {}

    async def untag_resource(self, context: RequestContext, params: Params) -> Params:
        """Remove tags."""
        topic = self._tagged(context, params)
        gone = frozenset(params["TagKeys"])

        def change(now: Topic) -> Topic:
            return replace(now, tags={n: v for n, v in now.tags.items() if n not in gone})

        await self._change(topic, change)
        return {}

    def _tagged(self, context: RequestContext, params: Params) -> Topic:
        try:
            return topic_for(self._store, context, params["ResourceArn"])
        except CallerError as error:
            if error.code != "NotFound":
                raise
            raise CallerError("ResourceNotFound", "Resource does not exist", status=404) from None

    async def add_permission(self, context: RequestContext, params: Params) -> Params:
        """Let other accounts do something to a topic."""
        topic = topic_for(self._store, context, params["TopicArn"])
        label = params["Label"]
        accounts = [f"arn:aws:iam::{account}:root" for account in params["AWSAccountId"]]
        actions = [f"SNS:{action}" for action in params["ActionName"]]
        statement = {
            "Sid": label,
            "Effect": "Allow",
            "Principal": {"AWS": accounts[0] if len(accounts) == 1 else accounts},
            "Action": actions[0] if len(actions) == 1 else actions,
            "Resource": topic.key.arn,
        }

        def change(now: Topic) -> Topic:
            policy, statements = _policy_of(now)
            if any(each.get("Sid") == label for each in statements):
                raise invalid_parameter("Statement already exists")
            changed = json.dumps({**policy, "Statement": [*statements, statement]})
            return _with(now, {"Policy": changed})

        await self._change(topic, change)
        return {}

    async def remove_permission(self, context: RequestContext, params: Params) -> Params:
        """Take back what was allowed under a label."""
        topic = topic_for(self._store, context, params["TopicArn"])

        def change(now: Topic) -> Topic:
            policy, statements = _policy_of(now)
            left = [each for each in statements if each.get("Sid") != params["Label"]]
            return _with(now, {"Policy": json.dumps({**policy, "Statement": left})})

        await self._change(topic, change)
        return {}

    async def _change(self, topic: Topic, change: Callable[[Topic], Topic]) -> None:
        """By a function of what it is then: others may be changing it, too."""

        def alter(found: Topic | None) -> Topic:
            if found is None:
                raise CallerError("NotFound", "Topic does not exist", status=404)
            return change(found)

        await self._store.put_topic(topic.key, alter)


def _with(topic: Topic, attributes: Mapping[str, str]) -> Topic:
    return replace(topic, attributes={**topic.attributes, **attributes})


def _policy_of(topic: Topic) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    text = topic.attributes.get("Policy") or shown_topic(topic, {})["Policy"]
    policy: dict[str, Any] = json.loads(text)
    statements = policy.get("Statement", [])
    return policy, statements if isinstance(statements, list) else [statements]


def _check_name(name: str, *, is_fifo: bool) -> None:
    bare = name.removesuffix(".fifo") if is_fifo else name
    if is_fifo and bare == name:
        raise invalid_parameter(
            "Topic Name Reason: Fifo Topic names must end with .fifo and must be made up of only "
            "uppercase and lowercase ASCII letters, numbers, underscores, and hyphens, and must be "
            "between 1 and 256 characters long."
        )
    if not _NAME.match(bare):
        raise invalid_parameter("Topic Name")


def _check_tags(tags: Mapping[str, str]) -> None:
    if len(tags) > _TAGS_MAX:
        raise CallerError(
            "TagLimitExceeded", "Could not complete request: tag quota of per resource exceeded"
        )


def _check_protection(text: str) -> None:
    try:
        is_object = not text or isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        is_object = False
    if not is_object:
        raise invalid_parameter("DataProtectionPolicy Reason: the policy is no JSON object")
